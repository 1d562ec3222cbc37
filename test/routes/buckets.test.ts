/** Token buckets by key: how they fill, and that a flood of keys gains nothing and costs no more memory. */
import fc from 'fast-check';
import t from 'tap';
import { clientNetwork, compileKey } from '../../lib/routes/ratelimit/keys.js';
import { TokenBuckets } from '../../lib/routes/index.js';

/** True if the request is allowed. */
function ask(buckets: TokenBuckets, key: string, now: number): boolean {
  if (buckets.tokens(key, now) < 1) return false;
  buckets.take(key, now);
  return true;
}

void t.test('a bucket has its burst, and fills evenly', (t) => {
  const buckets = new TokenBuckets({ burst: 3, tokenMs: 100, maxKeys: 10 });
  const at = (now: number): boolean => ask(buckets, 'a', now);
  t.same([at(0), at(0), at(0), at(0)], [true, true, true, false]);
  t.same([at(99), at(100), at(100)], [false, true, false]);
  t.same([at(250), at(299), at(300)], [true, false, true]);
  t.same([at(1e9), at(1e9), at(1e9), at(1e9)], [true, true, true, false], 'no more than the burst is saved');
  t.same([ask(buckets, 'b', 1e9), buckets.size], [true, 2], 'another key has a bucket of its own');
  t.end();
});

void t.test('a key never gets more than its limit, whatever the others do', (t) => {
  const steps = fc.array(fc.record({ key: fc.nat(40), wait: fc.nat(30) }), { maxLength: 400 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 8 }), (list, maxKeys) => {
      const [burst, tokenMs] = [3, 100];
      const buckets = new TokenBuckets({ burst, tokenMs, maxKeys });
      const exact = new TokenBuckets({ burst, tokenMs, maxKeys: 1000 });
      let now = 0;
      for (const { key, wait } of list) {
        now += wait;
        if (ask(buckets, `${key}`, now)) {
          if (!ask(exact, `${key}`, now)) return false;
        }
        if (buckets.size > maxKeys) return false;
      }
      return true;
    }),
  );
  t.end();
});

void t.test('a flood of keys', (t) => {
  const maxKeys = 1000;
  const buckets = new TokenBuckets({ burst: 10, tokenMs: 1000, maxKeys });
  for (let i = 0; i < 10; i++) ask(buckets, 'greedy', 0);
  for (let i = 0; i < 50 * maxKeys; i++) {
    ask(buckets, `flood ${i}`, 0);
    if (buckets.size > maxKeys) t.fail('there are more buckets than allowed');
  }
  t.equal(buckets.size, maxKeys);
  t.equal(ask(buckets, 'greedy', 0), false, 'who was forgotten has not gained');
  t.equal(ask(buckets, 'somebody else', 0), false, 'while more keys come than there is room for');
  t.equal(ask(buckets, 'somebody else', 10_000), true, 'and then all is as before');
  const calm = new TokenBuckets({ burst: 10, tokenMs: 1000, maxKeys });
  for (let i = 0; i < maxKeys; i++) ask(calm, `${i}`, 0);
  t.equal(Math.floor(calm.tokens('new', 0)), 10, 'who comes first to a full house finds a full bucket');
  ask(calm, 'new', 0);
  t.equal(Math.floor(calm.tokens('newer', 0)), 9, 'and then as many as the fullest had that was dropped');
  t.end();
});

void t.test('places of full buckets are used again', (t) => {
  const buckets = new TokenBuckets({ burst: 1, tokenMs: 1, maxKeys: 1000 });
  for (let i = 0; i < 10_000; i++) ask(buckets, `${i}`, i * 2);
  t.equal(buckets.size, 1, 'nobody is kept whose bucket is full again');
  t.end();
});

void t.test('keys', (t) => {
  const request = {
    address: '10.0.0.1',
    headers: ['x-key', 'k', 'x-long', 'y'.repeat(1000), 'x-two', 'a', 'x-two', 'b'],
    claims: { sub: 'ada', org: { id: 7 }, roles: ['a', 'b'], none: null },
    rpc: () => undefined,
    route: () => undefined,
  };
  const key = (...parts: string[]): string => compileKey(parts)(request);
  t.equal(key(), '');
  t.equal(key('address'), '=10.0.0.1');
  t.equal(key('header:x-key'), '=k');
  t.equal(key('header:x-two'), '=a,b');
  t.equal(key('header:x-none'), 'address 10.0.0.1', 'leaving it out is no way past a limit');
  t.equal(key('claim:none'), 'address 10.0.0.1');
  t.equal(compileKey(['route'])({ ...request, route: () => '/v1/{name}' }), '=/v1/{name}');
  t.equal(key('claim:sub'), '=ada');
  t.equal(key('claim:org.id'), '=7');
  t.equal(key('claim:roles'), '=["a","b"]');
  t.ok(key('header:x-long').length < 64, 'a long value takes no more memory');
  t.equal(key('claim:sub', 'header:x-key'), '["=ada","=k"]');
  t.not(compileKey(['header:x-key'])({ ...request, headers: ['x-key', 'address 10.0.0.1'] }), key('header:x-none'));
  t.end();
});

void t.test('networks of clients', (t) => {
  for (const [address, network] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:DB8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['unix', 'unix'],
    ['unknown', 'unknown'],
  ] as const) {
    t.equal(clientNetwork(address), network, address);
  }
  t.end();
});
