// Runs one scenario of ali-oss against a fake cloud and prints what it got, one line of JSON.
const OSS = require('ali-oss');

const given = JSON.parse(process.argv[2]);
const client = new OSS({
  endpoint: given.endpoint,
  region: 'oss-cn-hangzhou',
  bucket: 'data',
  accessKeyId: given.id,
  accessKeySecret: given.secret,
  stsToken: given.token,
  authorizationV4: given.v4,
  sldEnable: given.endpoint.includes('localhost'), // an address takes the name of the bucket in the Host header
  secure: false,
  timeout: 20000,
});

async function everything() {
  const name = 'a b/杭+州.txt';
  const done = {};
  await client.put(name, Buffer.from('hello'), { meta: { uid: 1 }, headers: { 'x-oss-tagging': 'team=dev' } });
  done.got = (await client.get(name)).content.toString();
  done.tags = (await client.getObjectTagging(name)).tag;
  await client.copy('copy of it.txt', name);
  done.listed = (await client.listV2({ prefix: '', 'max-keys': 10 })).objects.map((one) => one.name);
  await client.append('log', Buffer.from('1'));
  const big = await client.multipartUpload('big', Buffer.alloc(250 * 1024, 'x'), { partSize: 100 * 1024 });
  done.multipart = big.res.status;
  await client.putSymlink('link', 'log');
  done.link = (await client.getSymlink('link')).targetName;
  done.acl = (await client.getBucketACL('data')).acl;
  done.deleted = (await client.deleteMulti(['log', 'link', name])).deleted.length;
  const url = given.v4
    ? await client.signatureUrlV4('GET', 60, {}, 'copy of it.txt')
    : client.signatureUrl('copy of it.txt', { expires: 60 });
  done.url = await (await fetch(url)).text();
  const processed = client.signatureUrl('copy of it.txt', { expires: 60, process: 'image/resize,w_20' });
  done.processed = (await fetch(processed)).status;
  return done;
}

async function refusable() {
  const outcome = {};
  for (const [what, call] of Object.entries({
    get: () => client.get('logs/1'),
    put: () => client.put('logs/2', Buffer.from('x')),
    list: () => client.listV2({ prefix: 'logs/' }),
  })) {
    outcome[what] = await call().then(() => 'ok', (error) => `${error.status} ${error.code}`);
  }
  return outcome;
}

(given.scenario === 'everything' ? everything() : refusable()).then(
  (done) => console.log(JSON.stringify(done)),
  (error) => {
    console.log(JSON.stringify({ error: `${error.status} ${error.code || error.name}: ${error.message}` }));
    process.exit(1);
  },
);
