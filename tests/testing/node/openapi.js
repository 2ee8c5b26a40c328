// Calls an OpenAPI action through the official clients against a fake cloud and prints what they got.
const { default: Client, Config, OpenApiRequest, Params } = require('@alicloud/openapi-client');
const { RuntimeOptions } = require('@alicloud/tea-util');
const { RPCClient } = require('@alicloud/pop-core');

const given = JSON.parse(process.argv[2]);

// ACS3, style RPC and ROA.
function modern(style) {
  const client = new Client(new Config({
    accessKeyId: given.id,
    accessKeySecret: given.secret,
    securityToken: given.token,
    endpoint: given.endpoint,
    protocol: 'HTTP',
    regionId: 'cn-hangzhou',
  }));
  const params = new Params({
    action: given.action,
    version: given.version,
    protocol: 'HTTP',
    method: 'POST',
    authType: 'AK',
    style,
    pathname: '/',
    reqBodyType: 'formData',
    bodyType: 'json',
  });
  return client.callApi(params, new OpenApiRequest({ query: given.parameters }), new RuntimeOptions({}));
}

// The older signature, every parameter in the body of a POST.
async function older() {
  const client = new RPCClient({
    accessKeyId: given.id,
    accessKeySecret: given.secret,
    securityToken: given.token,
    endpoint: `http://${given.endpoint}`,
    apiVersion: given.version,
  });
  return { body: await client.request(given.action, given.parameters, { method: 'POST', formatParams: false }) };
}

(given.client === 'pop-core' ? older() : modern(given.client)).then(
  (answer) => console.log(JSON.stringify(answer.body)),
  (error) => console.log(JSON.stringify({
    code: error.code,
    status: error.statusCode || (error.data && error.data.statusCode) || (error.entry && error.entry.response.statusCode),
    detail: error.accessDeniedDetail || (error.data && error.data.AccessDeniedDetail),
  })),
);
