/** The store in memory: its bounds, its clock, and that a key under way never goes. */
import fc from 'fast-check';
import t from 'tap';
import { MemoryStore, StoreError } from '../../lib/idempotency/index.js';
import { readIdempotencyKey } from '../../lib/idempotency/key.js';
import { StatusError } from '../../lib/status.js';

void t.test('answers expire', async (t) => {
  let now = 0;
  const store = new MemoryStore({ maxEntries: 10, maxBytes: 10_000, now: () => now });
  await store.putIfAbsent('a', '1', 100);
  now = 50;
  await store.replace('a', '1', '2', 100);
  now = 149;
  t.equal(await store.putIfAbsent('a', '3', 100), '2');
  now = 150;
  t.equal(await store.putIfAbsent('a', '3', 100), undefined);
  now = 1000;
  await store.putIfAbsent('b', '1', 100);
  t.equal(store.size, 1, 'what has expired goes when something comes');
});

void t.test('without room the oldest answers go, and never a key under way', async (t) => {
  const store = new MemoryStore({ maxEntries: 2, maxBytes: 10_000, now: () => 0 });
  await store.putIfAbsent('held', '1', 100);
  await store.putIfAbsent('a', '1', 100);
  await store.replace('a', '1', '2', 100);
  await store.putIfAbsent('b', '1', 100);
  t.equal(await store.putIfAbsent('held', '2', 100), '1');
  await t.rejects(store.putIfAbsent('c', '1', 100), StoreError, 'all are under way');
  await store.replace('b', '1', undefined, 100);
  t.equal(await store.putIfAbsent('a', '3', 100), undefined, 'it went for b');
});

void t.test('an answer without room leaves its key taken', async (t) => {
  const store = new MemoryStore({ maxEntries: 10, maxBytes: 1000, now: () => 0 });
  await store.putIfAbsent('a', '1', 100);
  await t.rejects(store.replace('a', '1', 'x'.repeat(1000), 100), StoreError);
  t.equal(await store.putIfAbsent('a', '2', 100), '1');
});

void t.test('its bounds hold, whatever happens', async () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    kind: fc.constantFrom('put', 'answer', 'free', 'wait'),
    size: fc.nat(400),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      let now = 0;
      const held = new Map<string, string>();
      const store = new MemoryStore({ maxEntries: 3, maxBytes: 1500, now: () => now });
      for (const { key, kind, size } of steps) {
        const record = 'x'.repeat(size + 1);
        if (kind === 'wait') now += 10;
        else if (kind === 'put') {
          const found = await store.putIfAbsent(key, record, 100).catch(() => 'none');
          if (held.has(key) && now < 100 && found === undefined) return false;
          if (found === undefined) held.set(key, record);
        } else {
          const old = held.get(key) ?? '';
          await store.replace(key, old, kind === 'free' ? undefined : record, 100).catch(() => undefined);
          held.delete(key);
        }
        if (store.size > 3) return false;
      }
      return true;
    }),
  );
});

void t.test('every text is a key or a 400, and a quoted key is itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      try {
        const key = readIdempotencyKey(['idempotency-key', text], 255);
        return key !== undefined && /^[\x20-\x7e]+$/.test(key);
      } catch (error) {
        return error instanceof StatusError && error.code === 3;
      }
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }), (key) => {
      const quoted = `"${key.replace(/["\\]/g, '\\$&')}"`;
      return readIdempotencyKey(['idempotency-key', quoted], 255) === key;
    }),
  );
  return Promise.resolve();
});
