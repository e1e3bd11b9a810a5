// S3 by the AWS SDK for JavaScript v3: streams both ways, its uploader, its presigner, pages, waiters and errors by name.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const { Readable } = require('node:stream');
const {
  AbortMultipartUploadCommand,
  BucketAlreadyOwnedByYou,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  NoSuchBucket,
  NoSuchKey,
  NoSuchUpload,
  NotFound,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
  paginateListObjectsV2,
  paginateListParts,
  waitUntilBucketExists,
  waitUntilObjectExists,
  waitUntilObjectNotExists,
} = require('@aws-sdk/client-s3');
const { Upload } = require('@aws-sdk/lib-storage');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');
const { NodeHttpHandler } = require('@smithy/node-http-handler');

const account = process.argv[2];
const once = { maxAttempts: 1 };
const s3 = new S3Client(once);
const Bucket = `node-${account}`;
const MIB = 1 << 20;

function content(size, seed) {
  // The same bytes for the same seed: a keystream.
  const cipher = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(size));
}

// A stream in pieces, whose length nobody knows beforehand.
function streamed(data, piece = 70_001) {
  const pieces = [];
  for (let at = 0; at < data.length; at += piece) pieces.push(data.subarray(at, at + piece));
  return Readable.from(pieces);
}

async function fetched(Key, more = {}) {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from(await Body.transformToByteArray());
}

async function refused(call, kind, name, status) {
  await assert.rejects(call, (error) => {
    assert.equal(error.name, name);
    assert.ok(error instanceof (kind ?? S3ServiceException), `${error} is no ${(kind ?? S3ServiceException).name}`);
    assert.equal(error.$metadata.httpStatusCode, status);
    assert.ok(error.$metadata.requestId, 'an error has a request id');
    return true;
  });
}

async function buckets() {
  await s3.send(new CreateBucketCommand({ Bucket }));
  await waitUntilBucketExists({ client: s3, minDelay: 1, maxWaitTime: 2 }, { Bucket });
  const north = new S3Client({ ...once, region: 'eu-north-1' });
  const there = { Bucket: `${Bucket}-north`, CreateBucketConfiguration: { LocationConstraint: 'eu-north-1' } };
  await north.send(new CreateBucketCommand(there));
  await refused(() => north.send(new CreateBucketCommand(there)), BucketAlreadyOwnedByYou, 'BucketAlreadyOwnedByYou', 409);
  const follower = new S3Client({ ...once, followRegionRedirects: true });
  await follower.send(new DeleteBucketCommand({ Bucket: there.Bucket }));
  await refused(() => s3.send(new DeleteBucketCommand({ Bucket: there.Bucket })), null, 'NoSuchBucket', 404);
}

async function objects() {
  const text = 'Hyvää päivää, 雲\n';
  const put = { Bucket, Key: 'a b/+é%41&=?#.txt', Body: text, ContentType: 'text/plain', Metadata: { who: 'node' }, Tagging: 'a=1' };
  const made = await s3.send(new PutObjectCommand(put));
  assert.equal(made.ETag, `"${crypto.createHash('md5').update(text).digest('hex')}"`);
  const { Key } = put;
  await waitUntilObjectExists({ client: s3, minDelay: 1, maxWaitTime: 2 }, { Bucket, Key });
  const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
  assert.equal(await got.Body.transformToString(), text);
  assert.deepEqual([got.ContentType, got.Metadata, got.TagCount], ['text/plain', { who: 'node' }, 1]);
  assert.ok(got.LastModified instanceof Date);
  const part = await s3.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=0-2' }));
  assert.deepEqual([await part.Body.transformToString(), part.ContentRange], ['Hyv', `bytes 0-2/${Buffer.byteLength(text)}`]);
  const CopySource = encodeURIComponent(`${Bucket}/${Key}`);
  const copied = await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }));
  assert.equal(copied.CopyObjectResult.ETag, made.ETag);
  const tags = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'copy' }));
  assert.deepEqual(tags.TagSet, [{ Key: 'a', Value: '1' }]);
  await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  await waitUntilObjectNotExists({ client: s3, minDelay: 1, maxWaitTime: 2 }, { Bucket, Key });
  await refused(() => s3.send(new GetObjectCommand({ Bucket, Key })), NoSuchKey, 'NoSuchKey', 404);
  await refused(() => s3.send(new HeadObjectCommand({ Bucket, Key })), NotFound, 'NotFound', 404);
  await refused(() => s3.send(new GetObjectCommand({ Bucket: `${Bucket}-not`, Key })), NoSuchBucket, 'NoSuchBucket', 404);
  const onlyOnce = { Bucket, Key: 'copy', Body: 'x', IfNoneMatch: '*' };
  await refused(() => s3.send(new PutObjectCommand(onlyOnce)), null, 'PreconditionFailed', 412);
}

async function streams() {
  for (const [size, seed] of [[0, 1], [8192, 2], [3 * MIB + 1, 3]]) {
    const data = content(size, seed);
    // In chunks with a checksum behind them, as the length is known and the content is not.
    await s3.send(new PutObjectCommand({ Bucket, Key: 'stream', Body: streamed(data), ContentLength: size }));
    assert.ok((await fetched('stream')).equals(data));
  }
  const data = content(200_000, 4);
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
    for (const Body of [data, streamed(data)]) {
      const made = await s3.send(new PutObjectCommand({ Bucket, Key: 'sum', Body, ContentLength: data.length, ChecksumAlgorithm }));
      assert.ok(made[`Checksum${ChecksumAlgorithm}`], ChecksumAlgorithm);
    }
    const told = await s3.send(new HeadObjectCommand({ Bucket, Key: 'sum', ChecksumMode: 'ENABLED' }));
    assert.ok(told[`Checksum${ChecksumAlgorithm}`], ChecksumAlgorithm);
    assert.ok((await fetched('sum')).equals(data));
  }
  const plain = new S3Client({ ...once, requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' });
  await plain.send(new PutObjectCommand({ Bucket, Key: 'plain', Body: data }));
  assert.ok((await fetched('plain')).equals(data));
}

async function uploads() {
  const data = content(17 * MIB + 3, 5);
  for (const Body of [data, streamed(data)]) {
    const upload = new Upload({ client: s3, params: { Bucket, Key: 'upload', Body, ContentType: 'a/b' }, partSize: 5 * MIB, queueSize: 4 });
    let loaded = 0;
    upload.on('httpUploadProgress', (progress) => (loaded = Math.max(loaded, progress.loaded)));
    const done = await upload.done();
    assert.deepEqual([loaded, done.Key, done.ETag.endsWith('-4"')], [data.length, 'upload', true]);
    const told = await s3.send(new HeadObjectCommand({ Bucket, Key: 'upload', PartNumber: 4 }));
    assert.deepEqual([told.PartsCount, told.ContentLength, told.ContentType], [4, 2 * MIB + 3, 'a/b']);
    assert.ok((await fetched('upload')).equals(data));
  }
  const small = await new Upload({ client: s3, params: { Bucket, Key: 'small', Body: streamed(data.subarray(0, 99)) } }).done();
  assert.equal(small.ETag, `"${crypto.createHash('md5').update(data.subarray(0, 99)).digest('hex')}"`);

  const given = new Upload({ client: s3, params: { Bucket, Key: 'given-up', Body: streamed(data) }, partSize: 5 * MIB, queueSize: 1 });
  given.on('httpUploadProgress', () => given.abort());
  await assert.rejects(() => given.done(), { name: 'AbortError' });
  await refused(() => s3.send(new HeadObjectCommand({ Bucket, Key: 'given-up' })), NotFound, 'NotFound', 404);

  const where = { Bucket, Key: 'by-hand' };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...where, ChecksumAlgorithm: 'SHA256' }));
  const Parts = [];
  for (const [PartNumber, Body] of [[1, data.subarray(0, 5 * MIB)], [2, data.subarray(0, 9)]]) {
    const { ETag, ChecksumSHA256 } = await s3.send(
      new UploadPartCommand({ ...where, UploadId, PartNumber, Body, ChecksumAlgorithm: 'SHA256' }),
    );
    Parts.push({ PartNumber, ETag, ChecksumSHA256 });
  }
  const listed = [];
  for await (const page of paginateListParts({ client: s3, pageSize: 1 }, { ...where, UploadId })) listed.push(...(page.Parts ?? []));
  assert.deepEqual(listed.map((part) => part.Size), [5 * MIB, 9]);
  await s3.send(new CompleteMultipartUploadCommand({ ...where, UploadId, MultipartUpload: { Parts } }));
  const gone = { ...where, UploadId: `${UploadId}0` };
  await refused(() => s3.send(new AbortMultipartUploadCommand(gone)), NoSuchUpload, 'NoSuchUpload', 404);
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  for (const { Key, UploadId } of Uploads) await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
}

async function presigned() {
  const data = content(50_000, 6);
  const where = { Bucket, Key: 'signed é +.bin' };
  const put = await getSignedUrl(s3, new PutObjectCommand({ ...where, ContentType: 'x/y' }), { expiresIn: 60 });
  const sent = await fetch(put, { method: 'PUT', body: data, headers: { 'content-type': 'x/y' } });
  assert.equal(sent.status, 200, await sent.text());
  const get = await getSignedUrl(s3, new GetObjectCommand({ ...where, ResponseContentType: 'p/q' }), { expiresIn: 60 });
  const got = await fetch(get);
  assert.deepEqual([got.status, got.headers.get('content-type')], [200, 'p/q']);
  assert.ok(Buffer.from(await got.arrayBuffer()).equals(data));
  const spoilt = await fetch(get.replace('p%2Fq', 'p%2Fr'));
  assert.equal(spoilt.status, 403);
  assert.match(await spoilt.text(), /<Code>SignatureDoesNotMatch<\/Code>/);
}

// Hosts below localhost lead nowhere on a plain machine; browsers and this agent know where.
async function hostsThatNameBuckets() {
  const endpoint = new URL(process.env.AWS_ENDPOINT_URL);
  const seen = new Set();
  const lookup = (host, options, done) => {
    seen.add(host);
    const found = { address: endpoint.hostname, family: 4 };
    return options.all ? done(null, [found]) : done(null, found.address, found.family);
  };
  for (const host of ['localhost', 's3.localhost']) {
    const requestHandler = new NodeHttpHandler({ httpAgent: new http.Agent({ lookup }) });
    const client = new S3Client({ ...once, endpoint: `http://${host}:${endpoint.port}`, requestHandler });
    const data = content(100_000, 7);
    await client.send(new PutObjectCommand({ Bucket, Key: 'host/é +', Body: streamed(data), ContentLength: data.length }));
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'host/é +' }));
    assert.ok(Buffer.from(await Body.transformToByteArray()).equals(data));
    assert.ok((await fetched('host/é +')).equals(data));
    assert.ok(seen.has(`${Bucket}.${host}`), [...seen].join());
  }
}

async function lists() {
  const names = ['p/1', 'p/2', 'p/q/3', 'p/é &<>"', 'p/z'];
  for (const name of names) await s3.send(new PutObjectCommand({ Bucket, Key: name, Body: name }));
  const found = [];
  const groups = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket, Prefix: 'p/', Delimiter: '/' })) {
    found.push(...(page.Contents ?? []).map((item) => item.Key));
    groups.push(...(page.CommonPrefixes ?? []).map((item) => item.Prefix));
  }
  assert.deepEqual([found, groups], [['p/1', 'p/2', 'p/z', 'p/é &<>"'], ['p/q/']]);
  const every = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket })) every.push(...page.Contents.map(({ Key }) => ({ Key })));
  const gone = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: every } }));
  assert.deepEqual([gone.Deleted.length, gone.Errors ?? []], [every.length, []]);
  await s3.send(new DeleteBucketCommand({ Bucket }));
}

(async () => {
  await buckets();
  await objects();
  await streams();
  await uploads();
  await presigned();
  await hostsThatNameBuckets();
  await lists();
  console.log(JSON.stringify({ objects: 'done' }));
})();
