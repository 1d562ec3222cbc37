/** `service_config` of upstreams and clusters: what it changes for calls, what goes before it, and what is wrong with one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { configJsonSchema, printConfig } from '../../lib/config/index.js';
import { type Config, loadConfig, startProxy } from '../../lib/index.js';
import { ConfigError } from '../../lib/status.js';
import { type EchoService, startEchoService } from '../support/echo-service.js';
import { HealthServer } from '../support/health-server.js';
import { schemaFault } from '../support/json-schema.js';
import { type RequestOptions, send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { upstreamClients } from '../support/upstream-client.js';

const proto = `
syntax = "proto3";
package s.v1;
import "google/api/annotations.proto";
service S {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Post(Message) returns (Message) { option (google.api.http) = { post: "/v1" body: "*" }; }
  rpc Watch(Message) returns (stream Message) { option (google.api.http) = { get: "/watch" }; }
}
message Message { string name = 1; }
`;

const retryPolicy = `{ maxAttempts: 4, initialBackoff: 0.001s, maxBackoff: 0.001s, backoffMultiplier: 1, retryableStatusCodes: [ABORTED, 14] }`;
const retryable = `{ methodConfig: [{ name: [{ service: s.v1.S }], retryPolicy: ${retryPolicy} }] }`;
const get = ['GET /v1/x'] as const;
const post = ['POST /v1', { body: '{"name":"x"}' }] as const;

interface Case {
  readonly name: string;
  readonly config: string;
  /** The rest of the file. */
  readonly more?: string;
  readonly request?: readonly [string, RequestOptions?];
  /** Of the attempts before one that succeeds. */
  readonly codes?: readonly number[];
  readonly status: number;
  readonly attempts?: number;
  readonly text?: RegExp;
  /** The longest deadline that the service saw, in milliseconds; 0: none. */
  readonly deadlineMs?: number;
}

const long = 'x'.repeat(100);

const cases: readonly Case[] = [
  { name: 'nothing', config: '{}', codes: [14], status: 503, attempts: 1, deadlineMs: 0 },
  { name: 'retries of a service', config: retryable, codes: [10, 14], status: 200, attempts: 3 },
  {
    name: 'also of what may be done twice only by its word',
    config: retryable,
    request: post,
    codes: [10],
    status: 200,
    attempts: 2,
  },
  { name: 'up to maxAttempts', config: retryable, codes: [14, 14, 14, 14], status: 503, attempts: 4 },
  {
    name: 'and to five',
    config: retryable.replace('maxAttempts: 4', 'maxAttempts: 9'),
    codes: [14, 14, 14, 14, 14, 14],
    status: 503,
    attempts: 5,
  },
  { name: 'other codes end it', config: retryable, codes: [13], status: 500, attempts: 1 },
  { name: 'of another service', config: retryable.replace('s.v1.S', 's.v1.T'), codes: [14], status: 503, attempts: 1 },
  { name: 'of all', config: retryable.replace('{ service: s.v1.S }', '{}'), codes: [14], status: 200, attempts: 2 },
  {
    name: 'the most specific name wins as a whole',
    config: `{ methodConfig: [{ name: [{}], retryPolicy: ${retryPolicy} }, { name: [{ service: s.v1.S }], timeout: 9s }, { name: [{ service: s.v1.S, method: Get }], timeout: 5s }] }`,
    codes: [14],
    status: 503,
    attempts: 1,
    deadlineMs: 5000,
  },
  {
    name: 'retryThrottling',
    config: `{ retryThrottling: { maxTokens: 4, tokenRatio: 0.1 }, methodConfig: [{ name: [{}], retryPolicy: ${retryPolicy} }] }`,
    codes: [14, 14, 14],
    status: 503,
    attempts: 2,
  },
  {
    name: 'the option goes before it',
    config: retryable,
    more: 'retries: { attempts: 2, initial_backoff: 1ms }',
    codes: [14, 14],
    status: 503,
    attempts: 2,
  },
  {
    name: 'and methods do',
    config: retryable,
    more: 'methods: { s.v1.S.Get: { retries: false } }',
    codes: [14],
    status: 503,
    attempts: 1,
  },
  { name: 'timeout', config: '{ methodConfig: [{ name: [{}], timeout: 3s }] }', status: 200, deadlineMs: 3000 },
  {
    name: 'the client has less',
    config: '{ methodConfig: [{ name: [{}], timeout: 3s }] }',
    request: ['GET /v1/x', { headers: { 'x-request-timeout': '1s' } }],
    status: 200,
    deadlineMs: 1000,
  },
  {
    name: 'the client has more',
    config: '{ methodConfig: [{ name: [{}], timeout: 3s }] }',
    request: ['GET /v1/x', { headers: { 'x-request-timeout': '9s' } }],
    status: 200,
    deadlineMs: 3000,
  },
  {
    name: 'a deadline of methods goes before it',
    config: '{ methodConfig: [{ name: [{}], timeout: 3s }] }',
    more: 'methods: { s.v1.S.Get: { deadline: 7s } }',
    status: 200,
    deadlineMs: 7000,
  },
  {
    name: 'maxRequestMessageBytes',
    config: '{ methodConfig: [{ name: [{}], maxRequestMessageBytes: 50 }] }',
    request: ['POST /v1', { body: `{"name":"${long}"}` }],
    status: 413,
    text: /a message of 102 bytes to the service is larger than the limit of 50 bytes/,
  },
  {
    name: 'maxResponseMessageBytes',
    config: '{ methodConfig: [{ name: [{}], maxResponseMessageBytes: 50 }] }',
    request: ['POST /v1', { body: `{"name":"${long}"}` }],
    status: 500,
    text: /a message of 102 bytes from the service is larger than the limit of 50 bytes/,
  },
  {
    name: 'of a stream',
    config: '{ methodConfig: [{ name: [{}], maxResponseMessageBytes: 50 }] }',
    request: [`GET /watch?name=${long}`],
    status: 500,
    text: /larger than the limit/,
  },
  {
    name: 'as large as it may be',
    config: '{ methodConfig: [{ name: [{}], maxRequestMessageBytes: 3, maxResponseMessageBytes: "3" }] }',
    status: 200,
    text: /"x"/,
  },
];

const places: Readonly<Record<string, (target: string, config: string, more: string) => string>> = {
  upstream: (target, config, more) =>
    `upstreams: { default: { target: ${JSON.stringify(target)}, service_config: ${config} } }\nlisten: 127.0.0.1:0\n${more}`,
  cluster: (target, config, more) => `
clusters: { c: { endpoints: ${JSON.stringify(target)}, service_config: ${config} } }
${more}
listeners: [{ listen: '127.0.0.1:0', virtual_hosts: [{ domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: c } }] }] }]
`,
};

function load(t: Test, yaml: string, files: Readonly<Record<string, string>> = {}): Config {
  const workingDirectory = t.testdir({ 's.proto': proto, 'p.yaml': `proto: s.proto\n${yaml}`, ...files });
  return loadConfig({ file: 'p.yaml', workingDirectory });
}

async function startService(t: Test): Promise<EchoService> {
  const service = await startEchoService(schemaFromText(proto));
  t.teardown(() => service.close());
  return service;
}

for (const [place, yamlOf] of Object.entries(places)) {
  for (const client of place === 'upstream' ? upstreamClients : (['native'] as const)) {
    void t.test(`${client}: of an ${place}`, async (t) => {
      for (const { name, config, more = '', request = get, codes = [], status, attempts, text, deadlineMs } of cases) {
        await t.test(name, async (t) => {
          const service = await startService(t);
          service.answer = () => {
            const code = codes[service.calls.length - 1];
            return code === undefined ? {} : { code, messages: [] };
          };
          const proxy = await startProxy(
            load(t, `upstream_client: ${client}\n${yamlOf(service.target, config, more)}`),
          );
          t.teardown(() => proxy.drain());
          const response = await send(proxy.urls[0]!, ...request);
          t.equal(response.status, status, response.text);
          if (attempts !== undefined) t.equal(service.calls.length, attempts);
          if (text !== undefined) t.match(response.text, text);
          if (deadlineMs === undefined) return;
          const seen = Number(service.calls[0]?.deadline);
          if (deadlineMs === 0) return void t.equal(seen, Infinity);
          // The service counts from when the call has come.
          const left = seen - Date.now();
          t.ok(left <= deadlineMs && left > deadlineMs - 900, `${left} of ${deadlineMs}`);
        });
      }
    });
  }
}

void t.test('policies: the first that is known counts, and what stands beside the config goes before it', (t) => {
  const policyOf = (config: string, more = ''): unknown => {
    const { clusters } = load(
      t,
      `clusters: { c: { endpoints: 'a:1', service_config: ${config}${more} } }\nupstreams: { default: 'a:1' }`,
    );
    return clusters?.[0]?.policy;
  };
  for (const [config, more, policy] of [
    ['{}', '', 'round_robin'],
    ['{ loadBalancingConfig: [{ pick_first: {} }] }', '', 'pick_first'],
    [
      '{ loadBalancingConfig: [{ grpclb: { x: [] } }, { xds: {} }, { least_request_experimental: { choiceCount: 3 } }] }',
      '',
      'least_request',
    ],
    ['{ loadBalancingPolicy: PICK_FIRST }', '', 'pick_first'],
    ['{ loadBalancingPolicy: PICK_FIRST, loadBalancingConfig: [{ round_robin: {} }] }', '', 'round_robin'],
    ['{ loadBalancingConfig: [{ pick_first: {} }] }', ', load_balancing_policy: random', 'random'],
  ] as const) {
    t.equal(policyOf(config, more), policy, config + more);
  }
  t.end();
});

for (const client of upstreamClients) {
  void t.test(`${client}: the policy of an upstream`, async (t) => {
    const [one, two] = [await startService(t), await startService(t)];
    for (const [policy, isSpread] of [
      ['pick_first', false],
      ['round_robin', true],
    ] as const) {
      const target = `ipv4:${one.target},${two.target}`;
      const other = isSpread ? 'pick_first' : 'round_robin';
      const proxy = await startProxy(
        load(
          t,
          `upstream_client: ${client}\nload_balancing_policy: ${other}\n${places['upstream']!(target, `{ loadBalancingConfig: [{ ${policy}: {} }] }`, '')}`,
        ),
      );
      one.calls.length = two.calls.length = 0;
      // Calls go to who is connected, and that is soon both.
      for (let sent = 0; sent < 500 && (one.calls.length === 0 || two.calls.length === 0); sent++) {
        t.equal((await send(proxy.urls[0]!, ...get)).status, 200);
        if (!isSpread && sent === 20) break;
      }
      t.equal(one.calls.length > 0 && two.calls.length > 0, isSpread, policy);
      await proxy.drain();
    }
  });
}

void t.test('healthCheckConfig: a server that says that it is not well gets no calls', async (t) => {
  const server = await new HealthServer().start();
  t.teardown(() => server.stop());
  const { clusters } = load(
    t,
    `clusters: { c: { endpoints: 'a:1', service_config: { healthCheckConfig: { serviceName: s.v1.S } } } }\nupstreams: { default: 'a:1' }`,
  );
  t.match(clusters, [{ healthCheck: { kind: 'grpc', service: 's.v1.S', intervalMs: 10_000 } }]);
  const own = load(
    t,
    `clusters: { c: { endpoints: 'a:1', health_check: { kind: tcp }, service_config: { healthCheckConfig: {} } } }\nupstreams: { default: 'a:1' }`,
  );
  t.match(own.clusters, [{ healthCheck: { kind: 'tcp' } }]);
});

void t.test('a file', (t) => {
  const json = JSON.stringify(parse(retryable));
  const config = load(t, `upstreams: { default: { target: 'a:1', service_config: sc.json } }`, { 'sc.json': json });
  const inline = load(t, `upstreams: { default: { target: 'a:1', service_config: ${retryable} } }`);
  t.strictSame(config.listeners[0]?.root.upstreams, inline.listeners[0]?.root.upstreams);
  const again = load(t, '');
  t.notSame(again.listeners[0]?.root.upstreams, inline.listeners[0]?.root.upstreams);
  const folder = t.testdir({ 's.proto': proto, 'q.yaml': printConfig(config) });
  const printed = loadConfig({ file: 'q.yaml', workingDirectory: folder });
  t.strictSame(printed.listeners[0]?.root.upstreams, inline.listeners[0]?.root.upstreams, 'it is printed inline');
  t.equal(schemaFault(configJsonSchema() as never, parse(printConfig(config))), undefined);
  t.end();
});

const good =
  'maxAttempts: 2, initialBackoff: 1s, maxBackoff: 1s, backoffMultiplier: 2, retryableStatusCodes: [UNAVAILABLE]';

void t.test('what is wrong with one', async (t) => {
  const faults: readonly (readonly [config: string, message: string | RegExp])[] = [
    ['{ methodConfigs: [] }', /a service config has: .*; did you mean methodConfig\?|methodConfig/],
    ['{ methodConfig: {} }', /a list of maps/],
    ['{ methodConfig: [{ timeout: 1s }] }', 'a methodConfig has a list "name"'],
    ['{ methodConfig: [{ name: [{ method: Get }] }] }', 'the method "Get" has no service'],
    [
      '{ methodConfig: [{ name: [{}] }, { name: [{}] }] }',
      'service_config.methodConfig: there are two for all RPCs ({}); leave one of them out',
    ],
    [
      '{ methodConfig: [{ name: [{ service: a.B }, { service: a.B }] }] }',
      'service_config.methodConfig: there are two for a.B.*; leave one of them out',
    ],
    [
      '{ methodConfig: [{ name: [{}], timeout: soon }] }',
      /^service_config\.methodConfig\[0\]\.timeout: found "soon", expected/,
    ],
    [
      '{ methodConfig: [{ name: [{}], waitForReady: true }] }',
      /^service_config\.methodConfig\[0\]\.waitForReady: calls wait for a connection for connect_timeout/,
    ],
    [
      '{ methodConfig: [{ name: [{}], hedgingPolicy: { maxAttempts: 2 } }] }',
      /^service_config\.methodConfig\[0\]\.hedgingPolicy: calls are not hedged/,
    ],
    [
      '{ methodConfig: [{ name: [{}], maxRequestMessageBytes: -1 }] }',
      /^service_config\.methodConfig\[0\]\.maxRequestMessageBytes: found/,
    ],
    ['{ methodConfig: [{ name: [{}], retryPolicy: { maxAttempts: 2 } }] }', /a retryPolicy has initialBackoff/],
    [
      `{ methodConfig: [{ name: [{}], retryPolicy: { ${good.replace('maxAttempts: 2', 'maxAttempts: 1')} } }] }`,
      /^service_config\.methodConfig\[0\]\.retryPolicy\.maxAttempts: found "1", expected/,
    ],
    [
      `{ methodConfig: [{ name: [{}], retryPolicy: { ${good.replace('UNAVAILABLE', 'SOMETIMES')} } }] }`,
      /^service_config\.methodConfig\[0\]\.retryPolicy\.retryableStatusCodes\[0\]: found "SOMETIMES"/,
    ],
    [
      `{ methodConfig: [{ name: [{}], retryPolicy: { ${good.replace('[UNAVAILABLE]', '[]')} } }] }`,
      /retryableStatusCodes are empty/,
    ],
    [
      `{ methodConfig: [{ name: [{}], retryPolicy: { ${good.replace('Multiplier: 2', 'Multiplier: 0')} } }] }`,
      /backoffMultiplier: found "0", expected a number above 0/,
    ],
    [
      '{ retryThrottling: { maxTokens: 2000, tokenRatio: 1 } }',
      /^service_config\.retryThrottling\.maxTokens: found "2000"/,
    ],
    ['{ retryThrottling: { maxTokens: 20 } }', /retryThrottling has maxTokens and tokenRatio/],
    [
      '{ loadBalancingConfig: [{ grpclb: {} }, { mine: {} }] }',
      'service_config.loadBalancingConfig: found "grpclb, mine", and none of these policies is known; known are pick_first, round_robin, least_request, least_request_experimental',
    ],
    ['{ loadBalancingConfig: [] }', /none of these policies is known/],
    ['{ loadBalancingConfig: [{ a: {}, b: {} }] }', /element 0 is not a map of one policy/],
    ['{ loadBalancingConfig: [{ pick_first: { shuffleAddressList: true } }] }', /addresses are tried in their order/],
    ['{ loadBalancingPolicy: grpclb }', /^service_config\.loadBalancingPolicy: found "grpclb"/],
    ['{ healthCheckConfig: { serviceName: "a b" } }', /^service_config\.healthCheckConfig\.serviceName: found/],
    ['{ connectionScaling: {} }', /^service_config\.connectionScaling: further connections are opened/],
    ['none.json', /service_config: the file .*none\.json cannot be read/],
    ['bad.json', /not valid YAML|flow/i],
    ['7', /a service config is a map such as/],
  ];
  for (const [config, message] of faults) {
    for (const yaml of [
      `clusters: { c: { endpoints: 'a:1', service_config: ${config} } }\nupstreams: { default: 'a:1' }`,
      `upstreams: { default: { target: 'a:1', service_config: ${config} } }`,
    ]) {
      try {
        load(t, yaml, { 'bad.json': '{' });
        t.fail(config);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        t.match(error.problems[0]?.message, message, config);
        t.equal(error.problems[0]?.place?.line, config === 'bad.json' ? 1 : 2, config);
      }
    }
  }
  t.throws(
    () =>
      load(
        t,
        `clusters: { c: { endpoints: 'a:1', protocol: http1, service_config: {} } }\nupstreams: { default: 'a:1' }`,
      ),
    { message: /a service_config is for gRPC/ },
  );
  await t.rejects(
    startProxy(
      load(
        t,
        `upstream_client: grpc-js\nlisten: 127.0.0.1:0\nupstreams: { default: { target: 'a:1', service_config: { healthCheckConfig: {} } } }`,
      ),
    ),
    { message: /grpc-js knows no health_check/ },
  );
});

void t.test('any JSON is read or refused with words', (t) => {
  const folder = t.testdir({ 's.proto': proto });
  const names = fc.constantFrom(
    'methodConfig',
    'name',
    'service',
    'timeout',
    'retryPolicy',
    'maxAttempts',
    'loadBalancingConfig',
    'round_robin',
    'retryThrottling',
    '__proto__',
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom(0, 1, -1, '1s', 'x', true, null),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(names, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (json) => {
      writeFileSync(join(folder, 'sc.json'), JSON.stringify(json));
      writeFileSync(
        join(folder, 'p.yaml'),
        `proto: s.proto\nupstreams: { default: { target: 'a:1', service_config: sc.json } }`,
      );
      try {
        loadConfig({ file: 'p.yaml', workingDirectory: folder });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        if (error.problems.some(({ message }) => message === '')) throw new Error('no words');
      }
    }),
    { numRuns: 150 },
  );
  t.end();
});
