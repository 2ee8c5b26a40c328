// Adapter of @alicloud/credentials for Node.js.
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
