// STS, IAM and ECS by the AWS SDK for JavaScript v3: calls, pages, and errors by their names.

const assert = require('node:assert/strict');
const {
  CreateClusterCommand,
  DeleteClusterCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
  ClusterNotFoundException,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  paginateListClusters,
} = require('@aws-sdk/client-ecs');
const {
  CreateRoleCommand,
  CreateUserCommand,
  EntityAlreadyExistsException,
  GetUserCommand,
  IAMClient,
  NoSuchEntityException,
  paginateListUsers,
} = require('@aws-sdk/client-iam');
const { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } = require('@aws-sdk/client-sts');

const account = process.argv[2];
const once = { maxAttempts: 1 };

async function refused(call, kind, name) {
  await assert.rejects(call, (error) => {
    assert.equal(error.name, name);
    if (kind) assert.ok(error instanceof kind, `${error} is no ${kind.name}`);
    assert.ok(error.$metadata.requestId, 'an error has a request id');
    return true;
  });
}

async function identity() {
  const sts = new STSClient(once);
  const me = await sts.send(new GetCallerIdentityCommand({}));
  assert.equal(me.Arn, `arn:aws:iam::${account}:root`);

  const statement = { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'sts:AssumeRole' };
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  const { Role } = await new IAMClient(once).send(
    new CreateRoleCommand({ RoleName: 'script', AssumeRolePolicyDocument: trust }),
  );
  assert.ok(Role.CreateDate instanceof Date);
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn: Role.Arn, RoleSessionName: 'node' }));
  const credentials = {
    accessKeyId: Credentials.AccessKeyId,
    secretAccessKey: Credentials.SecretAccessKey,
    sessionToken: Credentials.SessionToken,
  };
  const role = await new STSClient({ ...once, credentials }).send(new GetCallerIdentityCommand({}));
  assert.equal(role.Arn, `arn:aws:sts::${account}:assumed-role/script/node`);

  const forged = { ...credentials, secretAccessKey: 'wrong/on/purpose' };
  await refused(
    () => new STSClient({ ...once, credentials: forged }).send(new GetCallerIdentityCommand({})),
    null,
    'SignatureDoesNotMatch',
  );
}

async function users() {
  const iam = new IAMClient(once);
  for (const UserName of ['ann', 'bob', 'eve']) await iam.send(new CreateUserCommand({ UserName }));
  const names = [];
  for await (const page of paginateListUsers({ client: iam, pageSize: 2 }, {})) {
    names.push(...page.Users.map((user) => user.UserName));
  }
  assert.deepEqual(names, ['ann', 'bob', 'eve']);
  await refused(() => iam.send(new CreateUserCommand({ UserName: 'ann' })), EntityAlreadyExistsException, 'EntityAlreadyExistsException');
  await refused(() => iam.send(new GetUserCommand({ UserName: 'zoe' })), NoSuchEntityException, 'NoSuchEntityException');
}

async function containers() {
  const ecs = new ECSClient(once);
  for (const clusterName of ['one', 'two', 'three']) await ecs.send(new CreateClusterCommand({ clusterName }));
  const arns = [];
  for await (const page of paginateListClusters({ client: ecs, pageSize: 2 }, {})) arns.push(...page.clusterArns);
  assert.equal(arns.length, 3);
  const { taskDefinition } = await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: 'script',
      containerDefinitions: [{ name: 'app', image: 'busybox', memory: 64, environment: [{ name: 'Å', value: '→ 雲' }] }],
    }),
  );
  assert.ok(taskDefinition.registeredAt instanceof Date);
  const described = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'script' }));
  assert.deepEqual(described.taskDefinition, taskDefinition);
  assert.equal(described.taskDefinition.containerDefinitions[0].environment[0].value, '→ 雲');
  await refused(
    () => ecs.send(new DeleteClusterCommand({ cluster: 'none' })),
    ClusterNotFoundException,
    'ClusterNotFoundException',
  );
  await refused(() => ecs.send(new RunTaskCommand({ taskDefinition: 'script' })), null, 'NotImplemented');
}

(async () => {
  await identity();
  await users();
  await containers();
  console.log(JSON.stringify({ arns: 'done' }));
})();
