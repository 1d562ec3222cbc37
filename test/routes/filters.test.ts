/** `filters` of a listener: which requests pass, wait or are refused. */
import t from 'tap';
import { nodeOf, type Plain, Reader } from '../../lib/options/index.js';
import {
  compileFilters,
  type FilteredRequest,
  filtersKind,
  type FilterSurroundings,
  TokenBuckets,
} from '../../lib/routes/index.js';
import { ProblemList, StatusError } from '../../lib/status.js';

const usual: FilteredRequest = {
  method: 'GET',
  path: '/a',
  query: undefined,
  headers: [],
  host: 'h',
  secure: false,
  address: '10.1.2.3',
  peer: '127.0.0.1',
  peerPort: 1,
  hasCertificate: false,
  certificateSubject: undefined,
  requestId: 'r',
  protocol: 'HTTP/1.1',
  claims: {},
  onGone: () => undefined,
  rpc: () => undefined,
  route: () => undefined,
  isProbe: false,
  counted: new Set(),
  routeSettings: () => undefined,
  forwarded: [],
  body: () => Promise.resolve({ bytes: Buffer.alloc(0), isWhole: true }),
};

const stillness: FilterSurroundings = {
  now: () => 0,
  bucketsOf: (_identity, bucket) => new TokenBuckets(bucket),
  wallClock: () => 0,
  random: () => 0,
  channelOf: () => {
    throw new Error('there are no channels');
  },
  keysOf: () => ({ keyFor: () => Promise.reject(new Error('there are no keys')) }),
};

type Ask = (request?: Partial<FilteredRequest>) => string;

/** What becomes of a request: `passes`, `waits 5`, `403 …`. */
function asking(filters: Plain, surroundings: Partial<FilterSurroundings> = {}): Ask {
  const problems = new ProblemList();
  const settings = filtersKind.readNode(nodeOf(filters), new Reader(problems));
  problems.throwIfAny();
  const compiled = compileFilters(settings, { ...stillness, ...surroundings });
  return (request = {}) => {
    let waits = 0;
    try {
      for (const filter of compiled) {
        const effect = filter({ ...usual, ...request });
        if (effect === undefined || effect instanceof Promise) continue;
        waits += effect.waitMs ?? 0;
        effect.afterwards?.();
      }
      return waits === 0 ? 'passes' : `waits ${waits}`;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return `${error.httpStatus ?? `code ${error.code}`} ${error.message}`;
    }
  };
}

void t.test('a rate: so many at once, and then as they come back', (t) => {
  let time = 0;
  const ask = asking([{ rate_limit: { requests: 1, per: '1s', burst: 2 } }], { now: () => time });
  const limited = '429 local_rate_limited';
  t.same([ask(), ask(), ask()], ['passes', 'passes', limited]);
  time = 999;
  t.equal(ask(), limited);
  time = 1000;
  t.same([ask(), ask()], ['passes', limited]);
  time = 100_000;
  t.same([ask(), ask(), ask()], ['passes', 'passes', limited], 'no more than burst are saved');
  t.end();
});

void t.test('shares, statuses and exceptions of a rate', (t) => {
  const rate = { requests: 1, per: '1h' };
  const numbers = [0.4, 0.6, 0.4];
  const half = asking([{ rate_limit: { ...rate, share: '50%', status: 503 } }], { random: () => numbers.shift()! });
  t.same([half(), half(), half()], ['passes', 'passes', '503 local_rate_limited']);
  const unless = asking([{ rate_limit: rate, unless: [{ path: { exact: '/health' } }] }]);
  t.same(
    [unless({ path: '/health' }), unless({ path: '/health' }), unless(), unless()],
    ['passes', 'passes', 'passes', '429 local_rate_limited'],
  );
  t.end();
});

void t.test('faults', (t) => {
  const random = (...numbers: number[]): FilterSurroundings['random'] => {
    return () => numbers.shift() ?? 0;
  };
  const both = { fault: { delay: { time: '5ms' }, abort: { status: 503, share: 0.5 } } };
  t.equal(asking([both], { random: random(0.6) })(), 'waits 5');
  t.equal(asking([both], { random: random(0.4) })(), '503 fault filter abort');
  t.equal(asking([{ fault: { abort: { code: 14 } } }])(), 'code 14 fault filter abort');
  const some = asking([{ fault: { abort: { status: 400 }, headers: [{ name: 'x-fail', present: true }] } }]);
  t.same([some(), some({ headers: ['x-fail', ''] })], ['passes', '400 fault filter abort']);
  t.end();
});

void t.test('conditions', (t) => {
  const denied = '403 RBAC: access denied';
  const cases: readonly [requests: Plain, request: Partial<FilteredRequest>, matches: boolean][] = [
    [{ always: true }, {}, true],
    [{ always: false }, {}, false],
    [{ path: { prefix: '/a' } }, { path: '/ab' }, true],
    [{ path: { exact: '/a' } }, { path: '/A' }, false],
    [{ header: { name: ':method', exact: 'GET' } }, {}, true],
    [{ header: { name: 'constructor', present: true } }, {}, false],
    [{ header: { name: ':path', suffix: '?x=1' } }, { query: 'x=1' }, true],
    [{ addresses: '10.0.0.0/8' }, {}, true],
    [{ addresses: ['192.168.0.0/16', '::1'] }, {}, false],
    [{ peers: '127.0.0.1' }, {}, true],
    [{ peers: '10.0.0.0/8' }, {}, false],
    [{ client_certificate: true }, { hasCertificate: true }, true],
    [{ client_certificate: true }, {}, false],
    [{ not: { path: { exact: '/b' } } }, {}, true],
    [{ all: [{ path: { prefix: '/' } }, { addresses: '10.1.2.3' }] }, {}, true],
    [{ all: [{ path: { prefix: '/' } }, { addresses: '10.1.2.4' }] }, {}, false],
    [{ any: [{ path: { prefix: '/x' } }, { not: { any: [] } }] }, {}, true],
  ];
  for (const [requests, request, matches] of cases) {
    const rules = [{ requests, callers: { always: true } }];
    const text = JSON.stringify(requests);
    t.equal(asking([{ access: { action: 'allow', rules } }])(request), matches ? 'passes' : denied, text);
    t.equal(asking([{ access: { action: 'deny', rules } }])(request), matches ? denied : 'passes', text);
  }
  t.equal(asking([{ access: { action: 'allow', rules: [] } }])(), denied, 'nobody is allowed');
  t.equal(asking([{ access: { action: 'deny', rules: [] } }])(), 'passes', 'nobody is denied');
  const mine = [{ requests: { path: { exact: '/a' } }, callers: { addresses: '10.1.2.4' } }];
  t.equal(asking([{ access: { action: 'allow', rules: mine } }])(), denied, 'both must hold');
  t.end();
});

void t.test('what is wrong', (t) => {
  const rate = { requests: 1, per: '1s' };
  const access = (requests: Plain): Plain => [
    { access: { action: 'deny', rules: [{ requests, callers: { always: true } }] } },
  ];
  const cases: readonly [filters: Plain, message: RegExp][] = [
    [[{}], /a filter has one of jwt, ext_authz, rate_limit, access and fault/],
    [[{ rate_limit: rate, fault: {} }], /a filter has one of/],
    [[{ rate_limit: { requests: 1 } }], /a rate_limit has requests and per/],
    [
      [{ rate_limit: { ...rate, headers: [{ name: 'content-length', value: '5' }] } }],
      /"content-length" cannot be changed/,
    ],
    [[{ fault: { abort: {} } }], /an abort has a status or a code/],
    [access({}), /a condition has one member; found 0/],
    [access({ always: true, not: { always: true } }), /a condition has one member; found 2/],
    [access({ addresses: '10.0.0.0/99' }), /expected addresses and blocks of them/],
    [access({ constructor: {} }), /there is no key "constructor" here/],
  ];
  for (const [filters, message] of cases) t.throws(() => asking(filters), { message }, JSON.stringify(filters));
  t.end();
});
