// Asks the metadata service the way the official client does and prints what it got, without secrets.
const { default: Credentials, Config } = require('@alicloud/credentials');

async function main() {
  const client = new Credentials(new Config({ type: 'ecs_ram_role' }));
  const credential = await client.getCredential();
  console.log(JSON.stringify({
    accessKeyId: credential.accessKeyId,
    secretCharacters: credential.accessKeySecret.length,
    tokenCharacters: credential.securityToken.length,
    type: credential.type,
  }));
}

main().catch((error) => {
  console.log(JSON.stringify({ error: `${error.code || error.name}: ${error.message}` }));
  process.exit(1);
});
