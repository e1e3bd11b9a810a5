// CloudWatch by the AWS SDK for JavaScript v3 over CBOR, and its other default; CloudWatch Logs with a stream of events.

const assert = require('node:assert/strict');
const { AwsJson1_0Protocol, AwsQueryProtocol, AwsSmithyRpcV2CborProtocol } = require('@aws-sdk/core/protocols');
const {
  CloudWatchClient,
  DeleteAlarmsCommand,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
  ResourceNotFound,
  SetAlarmStateCommand,
  paginateDescribeAlarms,
} = require('@aws-sdk/client-cloudwatch');
const {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  GetLogEventsCommand,
  PutLogEventsCommand,
  ResourceAlreadyExistsException,
  StartLiveTailCommand,
} = require('@aws-sdk/client-cloudwatch-logs');

const account = process.argv[2];
const once = { maxAttempts: 1 };
const minute = 60_000;
const start = new Date(Math.floor(Date.now() / minute) * minute - 10 * minute);

/** What the protocols say of themselves in a request. */
const WIRES = [
  ['cbor', AwsSmithyRpcV2CborProtocol, 'application/cbor'],
  ['json', AwsJson1_0Protocol, 'application/x-amz-json-1.0'],
  ['query', AwsQueryProtocol, 'application/x-www-form-urlencoded'],
];

async function refused(call, kind, name) {
  await assert.rejects(call, (error) => {
    assert.equal(error.name, name);
    if (kind) assert.ok(error instanceof kind, `${error} is no ${kind.name}`);
    assert.ok(error.$metadata.requestId, 'an error has a request id');
    return true;
  });
}

async function metrics(wire, protocol, contentType) {
  const cloudwatch = new CloudWatchClient({ ...once, protocol });
  const sent = new Set();
  cloudwatch.middlewareStack.add((next) => (step) => {
    sent.add(step.request.headers['content-type']);
    return next(step);
  }, { step: 'finalizeRequest', name: 'note' });

  const Namespace = `Shop/${wire}`;
  const Dimensions = [{ Name: 'Host', Value: 'web' }];
  const MetricData = [0, 0.5, -1e-9, 1e15].map((Value, number) => (
    { MetricName: 'Latency', Dimensions, Timestamp: new Date(+start + number * minute), Value, Unit: 'Milliseconds' }
  ));
  await cloudwatch.send(new PutMetricDataCommand({ Namespace, MetricData }));
  const found = await cloudwatch.send(new GetMetricDataCommand({
    StartTime: start,
    EndTime: new Date(+start + 5 * minute),
    ScanBy: 'TimestampAscending',
    MetricDataQueries: [
      { Id: 'l', MetricStat: { Metric: { Namespace, MetricName: 'Latency', Dimensions }, Period: 60, Stat: 'Maximum' } },
      { Id: 'twice', Expression: 'l * 2' },
    ],
  }));
  const [plain, twice] = ['l', 'twice'].map((id) => found.MetricDataResults.find((result) => result.Id === id));
  assert.deepEqual(plain.Values, [0, 0.5, -1e-9, 1e15]);
  assert.deepEqual(twice.Values, [0, 1, -2e-9, 2e15]);
  assert.deepEqual(plain.Timestamps, MetricData.map((datum) => datum.Timestamp));
  assert.equal(plain.StatusCode, 'Complete');

  const names = ['a', 'b', 'c'].map((name) => `${wire}-${name}`);
  for (const AlarmName of names) {
    await cloudwatch.send(new PutMetricAlarmCommand({
      AlarmName, Namespace, MetricName: 'Latency', Dimensions, Statistic: 'Average', Period: 60, EvaluationPeriods: 1,
      Threshold: 0.25, ComparisonOperator: 'GreaterThanThreshold', AlarmDescription: '→ 雲', TreatMissingData: 'ignore',
    }));
  }
  await cloudwatch.send(new SetAlarmStateCommand({ AlarmName: names[1], StateValue: 'ALARM', StateReason: 'a test' }));
  const listed = [];
  for await (const page of paginateDescribeAlarms({ client: cloudwatch, pageSize: 2 }, { AlarmNamePrefix: wire })) {
    listed.push(...page.MetricAlarms);
  }
  assert.deepEqual(listed.map((alarm) => alarm.AlarmName), names);
  assert.equal(listed[0].Threshold, 0.25);
  assert.equal(listed[0].AlarmDescription, '→ 雲');
  assert.ok(listed[0].StateUpdatedTimestamp instanceof Date);
  assert.equal(listed[0].ActionsEnabled, true);
  const { MetricAlarms, CompositeAlarms } = await cloudwatch.send(new DescribeAlarmsCommand({ AlarmNames: ['none'] }));
  assert.deepEqual([MetricAlarms, CompositeAlarms ?? []], [[], []]);
  await cloudwatch.send(new DeleteAlarmsCommand({ AlarmNames: names }));

  await refused(
    () => cloudwatch.send(new SetAlarmStateCommand({ AlarmName: 'none', StateValue: 'OK', StateReason: 'none' })),
    ResourceNotFound,
    'ResourceNotFound',
  );
  await refused(
    () => cloudwatch.send(new PutMetricDataCommand({ Namespace: 'AWS/Mine', MetricData })),
    null,
    'InvalidParameterValueException',
  );
  assert.equal(sent.size, 1, [...sent].join());
  assert.ok([...sent][0].startsWith(contentType), [...sent].join());
}

async function logs() {
  // The host name of its own that streams have at AWS leads nowhere here.
  const client = new CloudWatchLogsClient({ ...once, disableHostPrefix: true });
  const of = { logGroupName: 'shop', logStreamName: 'web' };
  await client.send(new CreateLogGroupCommand({ logGroupName: 'shop' }));
  await refused(
    () => client.send(new CreateLogGroupCommand({ logGroupName: 'shop' })),
    ResourceAlreadyExistsException,
    'ResourceAlreadyExistsException',
  );
  await client.send(new CreateLogStreamCommand(of));
  const { responseStream } = await client.send(new StartLiveTailCommand({
    logGroupIdentifiers: [`arn:aws:logs:us-east-1:${account}:log-group:shop`],
  }));
  const timestamp = Date.now();
  let told;
  for await (const event of responseStream) {
    if (event.sessionStart) {
      await client.send(new PutLogEventsCommand({ ...of, logEvents: [{ timestamp, message: 'Å → 雲' }] }));
    }
    told = event.sessionUpdate?.sessionResults ?? [];
    if (told.length > 0) break;
  }
  assert.deepEqual([told[0].message, told[0].timestamp, told[0].logStreamName], ['Å → 雲', timestamp, 'web']);
  const { events } = await client.send(new GetLogEventsCommand({ ...of, startFromHead: true }));
  assert.deepEqual(events.map((event) => event.message), ['Å → 雲']);
  client.destroy();
}

(async () => {
  for (const wire of WIRES) await metrics(...wire);
  await logs();
  console.log(JSON.stringify({ cloudwatch: 'done' }));
})();
