/** `photongate_policy_refusals_total`: each policy and limit that refuses a request counts it, once, under its own name. */
import t from 'tap';
import { refusers } from '../../lib/status.js';
import { startEchoService } from '../support/echo-service.js';
import { parseMetrics } from '../support/prometheus.js';
import { type RequestOptions, send } from '../support/proxy.js';
import { schemaFromText } from '../support/schema.js';
import { serveHere } from '../support/serve-here.js';

const proto = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Hello { rpc Say(Msg) returns (Msg) { option (google.api.http) = { post: "/v1/hello" body: "*" }; } }
message Msg { string name = 1; }
`;

interface Row {
  readonly config?: object;
  readonly filter?: object;
  readonly request?: RequestOptions;
  readonly status: number;
  /** Undefined: it is no refusal. */
  readonly reason: string | undefined;
}

const key = { keys: [{ name: 'a', key: 'a-key-0123456789' }] };
const jwt = { issuer: 'i', audiences: ['a'], jwks: { keys: [] } };
const gone = '127.0.0.1:1';
const spent = { all: { requests: 1, per: '1h' } };

const rows: Readonly<Record<string, Row>> = {
  served: { status: 200, reason: undefined },
  'an address': { config: { policies: { addresses: { deny: ['127.0.0.1'] } } }, status: 403, reason: 'addresses' },
  'a host': { request: { headers: { host: 'evil.example' } }, status: 403, reason: 'allowed_hosts' },
  'an origin': {
    request: { headers: { origin: 'http://evil.example' } },
    status: 403,
    reason: 'check_origin',
  },
  'an underscore': {
    config: { refuse_underscores: true },
    request: { headers: { a_b: '1' } },
    status: 400,
    reason: 'refuse_underscores',
  },
  'no token': { config: { policies: { jwt } }, status: 401, reason: 'jwt' },
  'a forged token': {
    config: { policies: { jwt } },
    request: { headers: { authorization: 'Bearer e30.e30.e30' } },
    status: 401,
    reason: 'jwt',
  },
  'no key': { config: { policies: { api_keys: { file: 'keys.yaml' } } }, status: 401, reason: 'api_keys' },
  'a wrong key': {
    config: { policies: { api_keys: { file: 'keys.yaml' } } },
    request: { headers: { 'x-api-key': 'wrong' } },
    status: 401,
    reason: 'api_keys',
  },
  'the filter access': {
    filter: { access: { action: 'deny', rules: [{ requests: { always: true }, callers: { always: true } }] } },
    status: 403,
    reason: 'access',
  },
  'the filter ext_authz': { filter: { ext_authz: { target: gone } }, status: 403, reason: 'ext_authz' },
  'a limit of rate': { config: { policies: { rate_limits: spent } }, status: 429, reason: 'rate_limits' },
  'a service of limits': {
    config: {
      policies: {
        rate_limit_service: { target: gone, domain: 'd', failure_mode_deny: true },
        rate_limits: { all: { service: true } },
      },
    },
    status: 503,
    reason: 'rate_limits',
  },
  'the filter rate_limit': {
    filter: { rate_limit: { requests: 1, per: '1h' } },
    status: 429,
    reason: 'rate_limits',
  },
  'a body that is too large': {
    config: { max_body_bytes: 1 },
    status: 413,
    reason: undefined,
  },
};

for (const [name, { config = {}, filter, request = {}, status, reason }] of Object.entries(rows)) {
  void t.test(name, async (t) => {
    const service = await startEchoService(schemaFromText(proto));
    t.teardown(() => service.close());
    const folder = t.testdir({
      'a.proto': proto,
      'keys.yaml': JSON.stringify(key),
      'p.yaml': JSON.stringify({
        proto: 'a.proto',
        upstreams: { default: service.target },
        listeners: [{ listen: '127.0.0.1:0', ...(filter && { filters: [filter] }) }],
        ...config,
      }),
    });
    const here = await serveHere(['--config', 'p.yaml', '--admin', '0'], folder);
    t.teardown(() => here.stop());
    const url = here.urls[0]!;
    const sent: RequestOptions = {
      ...request,
      headers: { 'content-type': 'application/json', ...request.headers },
      body: '{"name":"Ada"}',
    };
    const answers = [await send(url, 'POST /v1/hello', sent)];
    // Limits let the first one pass.
    if (status === 429) answers.push(await send(url, 'POST /v1/hello', sent));
    t.equal(answers.at(-1)!.status, status, answers.at(-1)!.text);
    const admin = String(here.lines().find(({ msg }) => /admin listener/.test(String(msg)))!['url']);
    const families = parseMetrics((await send(admin, 'GET /metrics')).text);
    const { samples } = families.get('photongate_policy_refusals_total')!;
    t.strictSame(
      Object.fromEntries(samples.map(({ labels, value }) => [labels['reason']!, value])),
      Object.fromEntries(refusers.map((one) => [one, one === reason ? 1 : 0])),
      'all are there from the start, and one has counted',
    );
  });
}
