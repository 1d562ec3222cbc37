/** PhotonCloud's services as tools: all of them at the port that serves all, and ChainFire's called by the official client. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JsonSchemaType } from '@modelcontextprotocol/client';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/client/validators/ajv';
import t from 'tap';
import { loadConfig, startProxy } from '../../lib/index.js';
import { services } from '../../examples/photoncloud/services.js';
import { startCloud, temporaryFolder } from '../support/photoncloud.js';
import { connectClient, textOf } from './client.js';

const plain = (schema: object): JsonSchemaType => JSON.parse(JSON.stringify(schema)) as JsonSchemaType;
const protos = fileURLToPath(new URL('../../protos', import.meta.url));

void t.test("PhotonCloud's tools", async (t) => {
  const cloud = await startCloud(t, {
    entry: 'chainfire',
    file: 'chainfire/v1/chainfire.proto',
    service: 'chainfire.v1.ChainFireService',
  });
  const folder = temporaryFolder(t);
  const mounts = services.map((service) => [`/${service.name}`, { services: [service.package] }] as const);
  const config = {
    proto: [protos],
    upstreams: Object.fromEntries(services.map((service) => [service.package, `127.0.0.1:${cloud.port}`])),
    ...{ mcp: true, mcp_resources: ['*'], mcp_max_listed: 1000, mcp_page_size: 40, preserve_proto_field_names: true },
    always_print_primitive_fields: true,
    listeners: [{ listen: '127.0.0.1:0', mounts: Object.fromEntries(mounts) }],
  };
  writeFileSync(join(folder, 'photongate.yaml'), JSON.stringify(config));
  const proxy = await startProxy(loadConfig({ file: join(folder, 'photongate.yaml') }));
  t.teardown(() => proxy.drain());
  const client = await connectClient(proxy.urls[0]!, '2026-07-28');
  t.teardown(() => client.close());

  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name);
  t.ok(names.length > 40, 'more than a page');
  t.equal(new Set(names).size, names.length);
  t.strictSame(
    names.filter((name) => !/^[\w-]{1,64}$/.test(name)),
    [],
  );
  const validator = new AjvJsonSchemaValidator();
  for (const { name, description, inputSchema, outputSchema } of tools) {
    t.ok(description, name);
    t.doesNotThrow(() => validator.getValidator(plain(inputSchema)), name);
    t.doesNotThrow(() => validator.getValidator(plain(outputSchema!)), name);
  }

  const call = (name: string, args: Record<string, unknown>): ReturnType<typeof client.callTool> =>
    client.callTool({ name: `ChainFireService_${name}`, arguments: args });
  t.match((await call('Put', { key: 'greeting', value: 'hello' })).structuredContent, { version: '1' });
  t.match((await call('Get', { key: 'greeting' })).structuredContent, { key: 'greeting', value: 'hello' });
  const missing = await call('Get', { key: 'nothing' });
  t.equal(missing.isError, true);
  t.match(textOf(missing), /^NOT_FOUND: no key "nothing"/);
  t.match((await call('List', { prefix: 'g' })).structuredContent, { items: [{ key: 'greeting' }] });
  t.match(textOf(await call('Put', { key: 'a' })), /INVALID_ARGUMENT/);

  const { resourceTemplates } = await client.listResourceTemplates();
  const byKey = resourceTemplates.find(({ name }) => name === 'ChainFireService_Get');
  t.match(byKey?.uriTemplate, /^photongate:\/chainfire\/api\/v1\/kv\/\{\+?key\}/);
  const { contents } = await client.readResource({ uri: 'photongate:/chainfire/api/v1/kv/greeting' });
  t.match(contents, [{ mimeType: 'application/json', text: /"value":"hello"/ }]);
});
