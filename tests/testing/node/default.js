// Asks the default chain of the official client and prints what it got, without secrets.
const { default: Credentials } = require('@alicloud/credentials');

async function main() {
  const client = new Credentials();
  const credential = await client.getCredential();
  console.log(JSON.stringify({
    accessKeyId: credential.accessKeyId,
    tokenCharacters: credential.securityToken.length,
    provider: credential.providerName,
  }));
}

main().catch((error) => {
  console.log(JSON.stringify({ error: `${error.code || error.name}: ${error.message}` }));
  process.exit(1);
});
