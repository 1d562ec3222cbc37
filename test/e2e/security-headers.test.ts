/** What browsers are told of the answers that are photongate's own: how to read them, who may frame, keep or refer to them. */
import { request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import t from 'tap';
import { certificate, pem } from '../support/certificates.js';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package s.v1;
import "google/api/annotations.proto";
service S { rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; } }
message M { string name = 1; int32 number = 2; }
`;

interface Row {
  readonly target: string;
  readonly accept?: string;
  readonly status?: number;
  readonly type: RegExp;
  readonly kept: string | undefined;
}

const html = { accept: 'text/html,*/*;q=0.8', type: /^text\/html; charset=utf-8$/ };

/** Of pages, with everything; of other answers, with `nosniff`. */
const rows: readonly Row[] = [
  { target: '/', ...html, kept: 'no-cache' },
  { target: '/docs', ...html, kept: 'no-cache' },
  { target: '/health', ...html, kept: 'no-store' },
  { target: '/nowhere', ...html, status: 404, kept: 'no-store' },
  { target: '/v1/x?number=y', ...html, status: 400, kept: 'no-store' },
  { target: '/', type: /^text\/plain; charset=utf-8$/, kept: 'no-cache' },
  { target: '/docs/start.js', type: /^text\/javascript; charset=utf-8$/, kept: 'no-cache' },
  { target: '/docs/scalar.js', type: /^text\/javascript; charset=utf-8$/, kept: 'no-cache' },
  { target: '/openapi.json', type: /^application\/json$/, kept: 'no-cache' },
  { target: '/openapi.yaml', type: /^application\/yaml$/, kept: 'no-cache' },
  { target: '/health', type: /^application\/json$/, kept: 'no-store' },
  { target: '/health?alt=text', type: /^text\/plain; charset=utf-8$/, kept: 'no-store' },
  { target: '/livez', type: /^text\/plain; charset=utf-8$/, kept: 'no-store' },
  { target: '/readyz', type: /^text\/plain; charset=utf-8$/, kept: 'no-store' },
];

void t.test('each page and document', async (t) => {
  const proxy = await startTestProxy(proto);
  t.teardown(() => proxy.close());
  for (const { target, accept, status = 200, type, kept } of rows) {
    const answer = await proxy.send(`GET ${target}`, { headers: accept === undefined ? {} : { accept } });
    const name = `${target} ${accept ?? ''}`;
    t.equal(answer.status, status, name);
    const { headers } = answer;
    t.match(headers['content-type'], type, name);
    t.equal(headers['cache-control'], kept, name);
    t.equal(headers['x-content-type-options'], 'nosniff', name);
    if (accept === undefined) continue;
    const policy = String(headers['content-security-policy']);
    for (const directive of ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
      t.ok(policy.split('; ').includes(directive), `${name}: ${directive}`);
    }
    t.notMatch(policy, /unsafe-eval|script-src[^;]*(?:unsafe|\*|https?:)/, name);
    t.match(headers, {
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
  }
});

void t.test('strict_transport_security stands in all answers over TLS, and in no others', async (t) => {
  const hsts = 'max-age=31536000; includeSubDomains';
  const tls = { tlsCert: certificate('server'), tlsKey: certificate('server-key') };
  const secure = await startTestProxy(proto, { ...tls, strictTransportSecurity: hsts });
  t.teardown(() => secure.close());
  secure.service.answer = () => ({ headers: { 'strict-transport-security': 'max-age=0' } });
  for (const target of ['/', '/health', '/v1/x', '/nowhere', '/v1/x?number=y']) {
    t.equal((await securely(secure, target))['strict-transport-security'], hsts, target);
  }
  const open = await startTestProxy(proto, { strictTransportSecurity: hsts });
  t.teardown(() => open.close());
  for (const target of ['/', '/v1/x', '/nowhere']) {
    t.notHas((await open.send(`GET ${target}`)).headers, { 'strict-transport-security': hsts }, target);
  }
  const usual = await startTestProxy(proto, tls);
  t.teardown(() => usual.close());
  t.notHas(await securely(usual, '/v1/x'), 'strict-transport-security');
});

function securely({ port }: TestProxy, path: string): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(`https://127.0.0.1:${port}${path}`, { ca: pem('ca'), agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.headers));
    });
    request.on('error', reject).end();
  });
}
