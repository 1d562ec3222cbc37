/** Files of API keys: what they hold, and what is said of those that cannot be used. No message contains a key. */
import t from 'tap';
import fc from 'fast-check';
import { digestOf, readApiKeys } from '../../lib/policy/api-key-file.js';
import { ConfigError } from '../../lib/index.js';

const secret = 'sk-0123456789abcdef';
const digest = digestOf(secret);
const limits = { file: '/keys.yaml', maxKeys: 3, maxFileBytes: 2000 };
const read = (text: string | Buffer | undefined): ReturnType<typeof readApiKeys> =>
  readApiKeys(limits, () => (text === undefined ? undefined : Buffer.from(text as string)));

void t.test('what a file holds', (t) => {
  const keys = read(`
keys:
  - { name: mobile, sha256: ${digest.toUpperCase()}, metadata: { plan: gold, teams: [a, 7] } }
  - { name: batch, key: [another-key-of-some-length, one-more-key-of-some-length] }
`);
  t.equal(keys.size, 3);
  t.strictSame(keys.get(digest), { name: 'mobile', entries: { plan: ['gold'], teams: ['a', '7'], name: 'mobile' } });
  t.strictSame(keys.get(digestOf('one-more-key-of-some-length'))?.name, 'batch');
  t.equal(read('{"keys": []}').size, 0, 'JSON, and nobody');
  t.end();
});

void t.test('what cannot be used', (t) => {
  const rows: readonly [text: string | Buffer | undefined, message: RegExp][] = [
    [undefined, /^the file of API keys \/keys\.yaml is not there: no such file$/],
    ['x'.repeat(2001), /is larger than the limit of 2000 bytes \(max_file_bytes\)$/],
    [Buffer.from([0xff]), /is not UTF-8 text$/],
    ['', /a file of API keys is a map/],
    ['keys: [', /not valid YAML/],
    ['{}', /the file has no "keys"/],
    ['keys: {}', /"keys" is a list/],
    ['keys: [x]', /a key is a map such as/],
    [`keys: [{ sha256: ${digest} }]`, /a key has a name/],
    ['keys: [{ name: a }]', /a key has "sha256", or "key" with the key itself/],
    [`keys: [{ name: a, sha256: ${secret} }]`, /^expected the SHA-256 of a key: 64 hexadecimal digits$/],
    ['keys: [{ name: a, key: short }]', /^expected a key of at least 16 printable ASCII characters without spaces$/],
    ['keys: [{ name: a, key: "a key that has spaces" }]', /without spaces$/],
    [`keys: [{ name: a, key: ${secret}, metadata: { name: b } }]`, /stands beside its metadata, and not in it/],
    [`keys: [{ name: a, key: ${secret}, metadata: { plan: {} } }]`, /expected a text, a number, true or false/],
    [`keys: [{ name: a, key: ${secret}, plan: gold }]`, /there is no key "plan" here/],
    [
      `keys: [{ name: a, key: ${secret} }, { name: a, sha256: ${'0'.repeat(64)} }]`,
      /has two keys of the name "a"; one key may have several "sha256"$/,
    ],
    [`keys: [{ name: a, key: ${secret} }, { name: b, sha256: ${digest} }]`, /one key twice: as "a" and as "b"$/],
    [
      `keys: [${['a', 'b', 'c', 'd'].map((name, index) => `{ name: ${name}, sha256: ${String(index).repeat(64)} }`).join()}]`,
      /has 4 keys, more than the limit of 3 \(max_keys\)$/,
    ],
  ];
  for (const [text, message] of rows) {
    try {
      read(text);
      t.fail(`it is taken: ${String(text)}`);
    } catch (error) {
      const { problems } = error as ConfigError;
      t.ok(
        problems.some((problem) => message.test(problem.message)),
        problems.map((problem) => problem.message).join('; '),
      );
      t.notMatch(JSON.stringify(problems), secret);
    }
  }
  t.end();
});

void t.test('any text is taken or refused in words', (t) => {
  const line = fc.constantFrom(
    'keys:',
    '- name: a',
    '  key: sk-0123456789abcdef',
    '  sha256: [',
    ']',
    '&a',
    '*a',
    '? x',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(line).map((lines) => lines.join('\n')),
      ),
      (text) => {
        try {
          return read(text).size >= 0;
        } catch (error) {
          return error instanceof ConfigError && error.problems.every(({ message }) => message !== '');
        }
      },
    ),
  );
  t.end();
});
