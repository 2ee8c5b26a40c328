// Adapter of @alicloud/credentials for Node.js: it has the metadata address written into it, hence the first lines.
const net = require('net');
const fake = new URL(process.env.CONFORMANCE_METADATA_ENDPOINT);
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (options && options.host === '100.100.100.200') Object.assign(options, { host: fake.hostname, port: Number(fake.port) });
  return connect.apply(this, args);
};
const { default: Credentials, Config } = require('@alicloud/credentials');

const client = new Credentials(new Config({ type: 'ecs_ram_role' }));
require('readline').createInterface({ input: process.stdin }).on('line', async () => {
  try {
    const { accessKeyId, accessKeySecret, securityToken } = await client.getCredential();
    console.log(JSON.stringify({ accessKeyId, accessKeySecret, securityToken }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.code || error.name}: ${error.message}` }));
  }
});
