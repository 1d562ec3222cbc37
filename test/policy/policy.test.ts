/** Origin, host and method override as tables: what is let through, what is refused and with which words. */
import t from 'tap';
import { compileCors } from '../../lib/cors/index.js';
import type { Caller } from '../../lib/exchange.js';
import { compilePolicies, defaultPolicyOptions, isLoopback, type PolicyOptions } from '../../lib/policy/index.js';
import { StatusError } from '../../lib/status.js';

interface Row {
  readonly method: string;
  readonly headers: readonly string[];
  /** Undefined: let through. */
  readonly refused?: RegExp;
  readonly methodAfter?: string;
}

const caller: Caller = { address: '192.0.2.1', forwarded: [] };

function check(rows: readonly Row[], listenHost: string, options: Partial<PolicyOptions>): void {
  const cors = options.cors && compileCors(options.cors);
  const policies = compilePolicies({ ...defaultPolicyOptions, ...options }, listenHost);
  for (const { method, headers, refused, methodAfter } of rows) {
    const name = `${method} ${headers.join(' ')}`;
    const request = { method, headers, caller };
    const run = (): void => policies.forEach((policy) => policy.onRequest(request, cors));
    if (refused === undefined) {
      t.doesNotThrow(run, name);
      t.equal(request.method, methodAfter ?? method, name);
    } else {
      const error = thrownBy(run);
      t.ok(error instanceof StatusError, name);
      t.equal((error as StatusError).httpStatus, 403, name);
      t.match((error as StatusError).message, refused, name);
    }
  }
}

function thrownBy(run: () => void): unknown {
  try {
    run();
    return undefined;
  } catch (error) {
    return error;
  }
}

const foreign = /a page of origin .* may not send \w+ requests.*--no-check-origin/;
const origin = (method: string, host: string, value: string, refused?: RegExp): Row => ({
  method,
  headers: ['host', host, 'origin', value],
  ...(refused === undefined ? {} : { refused }),
});

const originRows: readonly Row[] = [
  { method: 'POST', headers: ['host', 'a.example'] },
  origin('GET', 'a.example', 'https://evil.example'),
  origin('HEAD', 'a.example', 'https://evil.example'),
  origin('OPTIONS', 'a.example', 'https://evil.example'),
  origin('POST', 'a.example', 'https://evil.example', foreign),
  origin('PUT', 'a.example', 'https://evil.example', foreign),
  origin('DELETE', 'a.example', 'http://a.example.evil', foreign),
  origin('PURGE', 'a.example', 'http://evil', foreign),
  origin('POST', 'a.example', 'https://a.example'),
  origin('POST', 'a.example', 'http://a.example'),
  origin('POST', 'A.example', 'http://a.EXAMPLE'),
  origin('POST', 'a.example:443', 'https://a.example'),
  origin('POST', 'a.example:80', 'https://a.example', foreign),
  origin('POST', 'a.example:80', 'http://a.example'),
  origin('POST', 'a.example:8080', 'http://a.example', foreign),
  origin('POST', 'a.example:8080', 'http://a.example:8080'),
  origin('POST', 'a.example:8080', 'http://a.example:8081', foreign),
  origin('POST', 'a.example', 'http://a.example:80'),
  origin('POST', '[::1]:8080', 'http://[::1]:8080'),
  origin('POST', '[::1]:8080', 'http://[::2]:8080', foreign),
  origin('POST', 'a.example', 'null', foreign),
  origin('POST', 'null', 'null', foreign),
  origin('POST', 'a.example', '', foreign),
  origin('POST', 'a.example', 'a.example', foreign),
  origin('POST', 'a.example', 'http://user@a.example', foreign),
  origin('POST', 'a.example', 'http://a.example/path', foreign),
  { method: 'POST', headers: ['origin', 'http://a.example'], refused: foreign },
  {
    method: 'POST',
    headers: ['host', 'a.example', 'origin', 'http://a.example', 'origin', 'http://evil'],
    refused: foreign,
  },
];

const rebinding = /does not answer to the name.*--allowed-hosts/;
const host = (value: string, refused?: RegExp): Row => ({
  method: 'GET',
  headers: ['host', value],
  ...(refused === undefined ? {} : { refused }),
});

const hostRows: readonly Row[] = [
  host('localhost'),
  host('localhost:8080'),
  host('LOCALHOST:8080'),
  host('localhost.'),
  host('localhost.:8080'),
  host('localhost..', rebinding),
  host('127.0.0.1:8080'),
  host('10.1.2.3'),
  host('[::1]:8080'),
  host('[::1]'),
  host('evil.example', rebinding),
  host('evil.example:8080', rebinding),
  host('localhost.evil.example', rebinding),
  host('127.0.0.1.evil.example', rebinding),
  host('', rebinding),
  host('[::1', rebinding),
  { method: 'GET', headers: [] },
  { method: 'GET', headers: ['host', 'localhost', 'host', 'evil.example'], refused: rebinding },
];

check(originRows, '0.0.0.0', {});
check([origin('POST', 'a.example', 'https://evil.example'), origin('POST', 'a.example', 'null')], '0.0.0.0', {
  checkOrigin: false,
});
check(hostRows, '127.0.0.1', {});
check(hostRows, '::1', {});
check([host('evil.example'), host('')], '0.0.0.0', {});
check([host('api.example:1'), host('API.example'), host('other.example', rebinding)], 'localhost', {
  allowedHosts: ['api.example'],
});
check([host('evil.example')], '127.0.0.1', { allowedHosts: ['*'] });
check([host('a.b.example'), host('b.example', rebinding), host('xb.example', rebinding)], '127.0.0.1', {
  allowedHosts: ['*.b.example'],
});

const override = (method: string, value: string, methodAfter: string): Row => ({
  method,
  headers: ['x-http-method-override', value],
  methodAfter,
});
check(
  [
    override('POST', 'PUT', 'PUT'),
    override('POST', 'delete', 'DELETE'),
    override('POST', '', 'POST'),
    override('GET', 'DELETE', 'GET'),
    override('PUT', 'DELETE', 'PUT'),
  ],
  '0.0.0.0',
  { methodOverride: true },
);
check([override('POST', 'PUT', 'POST')], '0.0.0.0', {});
// An override does not get round the origin check.
check(
  [
    {
      method: 'POST',
      headers: ['host', 'a', 'origin', 'http://evil', 'x-http-method-override', 'GET'],
      refused: foreign,
    },
  ],
  '0.0.0.0',
  { methodOverride: true },
);
for (const bad of ['PU T', 'CONNECT', 'PUT\u0000']) {
  const [policy] = compilePolicies({ ...defaultPolicyOptions, checkOrigin: false, methodOverride: true }, '0.0.0.0');
  t.throws(
    () => policy!.onRequest({ method: 'POST', headers: ['x-http-method-override', bad], caller }),
    { code: 3 },
    bad,
  );
}

for (const [address, expected] of [
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['LocalHost.', true],
  ['0:0:0:0:0:0:0:1', true],
  ['::ffff:127.0.0.2', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.0.0.1.example', false],
] as const) {
  t.equal(isLoopback(address), expected, address);
}

interface AddressRow {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly passes: readonly string[];
  readonly refused: readonly string[];
}

const addressRows: readonly AddressRow[] = [
  { allow: ['10.0.0.0/8'], passes: ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'], refused: ['11.0.0.0', '::1'] },
  { allow: ['10.1.2.3'], passes: ['10.1.2.3'], refused: ['10.1.2.4', 'unix', 'unknown', '', 'nonsense'] },
  { allow: ['::ffff:10.0.0.0/104'], passes: ['10.1.2.3', '::ffff:a01:203'], refused: ['11.1.2.3'] },
  { allow: ['fd00::/8'], passes: ['fd12::1', 'FD00:0:0::1', 'fd00::1%eth0'], refused: ['fe00::1', '10.0.0.1'] },
  { allow: ['::1', 'unix'], passes: ['::1', '0:0:0:0:0:0:0:1', 'unix'], refused: ['::2', '127.0.0.1'] },
  { allow: ['0.0.0.0/0'], passes: ['1.2.3.4'], refused: ['::1'] },
  { deny: ['10.0.0.0/8'], passes: ['11.0.0.1', '::1', 'unknown', 'unix'], refused: ['10.0.0.1', '::ffff:10.0.0.1'] },
  { allow: ['10.0.0.0/8'], deny: ['10.6.0.0/16'], passes: ['10.5.0.1'], refused: ['10.6.0.1', '11.0.0.1'] },
  { allow: ['10.6.6.6'], deny: ['10.6.0.0/16'], passes: [], refused: ['10.6.6.6'] },
];

void t.test('addresses', (t) => {
  for (const { passes, refused, ...addresses } of addressRows) {
    const [policy, ...others] = compilePolicies({ ...defaultPolicyOptions, addresses, checkOrigin: false }, '0.0.0.0');
    t.strictSame(others, []);
    for (const address of [...passes, ...refused]) {
      const error = thrownBy(() =>
        policy!.onRequest({ method: 'GET', headers: [], caller: { address, forwarded: [] } }),
      );
      const name = `${JSON.stringify(addresses)} ${address}`;
      if (passes.includes(address)) {
        t.equal(error, undefined, name);
        continue;
      }
      t.match(error, { httpStatus: 403, code: 7, refusedBy: 'addresses' }, name);
      const list = addresses.deny !== undefined && !/^11/.test(address) ? 'deny' : 'allow';
      t.equal(
        (error as Error).message,
        `requests from your address are not allowed (policies.addresses.${list})`,
        'who calls is not told: it may be a proxy within',
      );
    }
  }
  t.end();
});
