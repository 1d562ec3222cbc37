/** Which requests of a connection are under way, and which wait. Requests are names here, and their unsent bytes numbers. */
import t from 'tap';
import { Capacity, Intake } from '../../lib/server/intake.js';

class Request {
  unsentBytes = 0;
  slot = 0;

  constructor(readonly name: string) {}
}

/** One connection: what is started stands in `log`. */
class Connection {
  readonly log: string[] = [];
  readonly requests = new Map<string, Request>();
  waits: boolean | undefined;
  readonly intake: Intake<Request>;

  constructor(capacity: Capacity, limit: number) {
    this.intake = new Intake(capacity, limit, (isWaiting) => (this.waits = isWaiting));
  }

  enter(...names: readonly string[]): this {
    for (const name of names) {
      const request = new Request(name);
      this.requests.set(name, request);
      this.intake.enter(request, () => this.log.push(name));
    }
    return this;
  }

  leave(name: string): void {
    this.intake.leave(this.requests.get(name)!);
  }

  /** So much of the answer waits for its reader; 0: nothing. */
  unsent(name: string, bytes: number): void {
    const request = this.requests.get(name)!;
    request.unsentBytes = bytes;
    if (bytes > 0) this.intake.addUnsent(request);
    else this.intake.sent(request, true);
  }

  expect(name: string, bytes: number): boolean {
    return this.intake.expect(this.requests.get(name)!, bytes, () => this.log.push(`room for ${name}`));
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const unlimited = (): Capacity => new Capacity(() => Infinity);
const MiB = 1024 * 1024;

void t.test('what is over the limit waits, in order', (t) => {
  const connection = new Connection(unlimited(), 2).enter('a', 'b', 'c', 'd', 'e');
  t.strictSame(connection.log, ['a', 'b']);
  t.equal(connection.waits, true);
  connection.leave('b');
  connection.leave('b');
  t.strictSame(connection.log, ['a', 'b', 'c'], 'one for one');
  connection.leave('d');
  connection.leave('a');
  t.strictSame(connection.log, ['a', 'b', 'c', 'e'], 'a client that left before its turn has none');
  t.equal(connection.waits, false);
  connection.enter('f', 'g');
  t.equal(connection.waits, true);
  t.strictSame(
    connection.intake.dropWaiting().map(({ name }) => name),
    ['f', 'g'],
  );
  connection.leave('c');
  t.strictSame(connection.log, ['a', 'b', 'c', 'e'], 'what was dropped is never served');
  t.equal(connection.waits, false);
  t.end();
});

void t.test('shares: a connection leaves as many free as it has', async (t) => {
  const capacity = new Capacity(() => 10);
  const names = Array.from({ length: 10 }, (_, index) => String(index));
  const first = new Connection(capacity, 250).enter(...names);
  t.equal(first.log.length, 5, 'a half for one');
  const second = new Connection(capacity, 250).enter(...names);
  t.equal(second.log.length, 3, 'a half of the rest for the next');
  const late = [1, 2, 3].map(() => new Connection(capacity, 250).enter('x', 'y'));
  t.strictSame(
    late.map(({ log }) => log),
    [['x'], ['x'], ['x']],
    'and one at least for everybody',
  );
  const tooMany = new Connection(capacity, 250).enter('x', 'y');
  t.strictSame(tooMany.log, ['x'], 'the handler refuses what is over its limit');

  for (const name of first.log.slice()) first.leave(name);
  await nextTurn();
  t.equal(second.log.length, 3, 'who has most waits longest');
  t.strictSame(late[0]!.log, ['x', 'y'], 'others have more when one has less');
  t.ok(first.log.length > 5, 'and so has it, when its turn has come again');
});

void t.test('a limit that changes counts at once', (t) => {
  let limit = 2;
  const connection = new Connection(new Capacity(() => limit), 250).enter('a', 'b');
  t.strictSame(connection.log, ['a']);
  limit = 100;
  connection.enter('c');
  t.strictSame(connection.log, ['a'], 'in order');
  connection.leave('a');
  t.strictSame(connection.log, ['a', 'b', 'c']);
  t.end();
});

void t.test('too much that is unsent holds back further requests', (t) => {
  const connection = new Connection(unlimited(), 250).enter('a', 'b', 'c', 'd', 'e');
  for (const name of ['a', 'b', 'c']) connection.unsent(name, 50 * MiB);
  connection.enter('f');
  t.equal(connection.waits, undefined, 'three large answers do not');
  connection.unsent('d', 50 * MiB);
  connection.enter('g', 'h');
  t.equal(connection.waits, true, 'four do');
  connection.requests.get('a')!.unsentBytes = MiB / 2;
  connection.intake.sent(connection.requests.get('a')!, false);
  t.strictSame(connection.log.slice(6), ['g', 'h'], 'until some of it is read');
  connection.unsent('e', MiB);
  connection.enter('i');
  t.equal(connection.waits, true);
  connection.leave('b');
  t.equal(connection.log.at(-1), 'i', 'or given up');
  t.end();
});

void t.test('messages that are on their way wait for room, but never that of the oldest request', (t) => {
  const connection = new Connection(unlimited(), 250).enter('a', 'b', 'c', 'd', 'e', 'f');
  for (const name of ['b', 'c', 'd', 'e']) t.equal(connection.expect(name, 10 * MiB), true);
  t.equal(connection.expect('f', 1), false);
  t.equal(connection.expect('a', 60 * MiB), true, 'the oldest');
  connection.expect('b', 0);
  t.strictSame(connection.log.slice(6), [], 'five large ones were promised');
  connection.unsent('c', 10 * MiB);
  connection.unsent('c', 0);
  t.strictSame(connection.log.slice(6), ['room for f'], 'once what came has left');
  t.equal(connection.expect('f', 0), true);

  connection.expect('b', 10 * MiB);
  t.equal(connection.expect('f', 10 * MiB), false);
  connection.leave('f');
  connection.leave('d');
  t.strictSame(connection.log.slice(7), [], 'nobody is told who has left');
  t.equal(connection.expect('c', 10 * MiB), true);
  connection.expect('d', 10 * MiB);
  t.equal(connection.expect('e', 10 * MiB), true, 'another message of the same answer is not counted twice');
  t.end();
});

void t.test('the next oldest has room when the oldest has left', (t) => {
  const connection = new Connection(unlimited(), 250).enter('a', 'b', 'c', 'd', 'e', 'f');
  for (const name of ['c', 'd', 'e', 'f']) connection.unsent(name, 10 * MiB);
  t.equal(connection.expect('b', 10 * MiB), false);
  connection.leave('a');
  t.strictSame(connection.log.slice(6), ['room for b']);
  t.end();
});
