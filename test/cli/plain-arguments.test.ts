/** Arguments that are read without yargs mean what they mean to yargs. */
import fc from 'fast-check';
import t from 'tap';
import yargs from 'yargs';
import { yargsOptions } from '../../lib/cli/flags.js';
import { parserConfiguration, plainArguments } from '../../lib/cli/plain-arguments.js';

const options = yargsOptions();

/** What yargs reads; undefined if it refuses the arguments. */
function byYargs(args: readonly string[]): Record<string, unknown> | undefined {
  let isRefused = false;
  const {
    _: words,
    $0: _name,
    ...values
  } = yargs()
    .parserConfiguration(parserConfiguration)
    .command(['serve', '$0'], 'serve')
    .options(options)
    .strict()
    .exitProcess(false)
    .parseSync(
      [...args].map((arg) => (arg === '--reflection' ? '--reflection=true' : arg)),
      {},
      (error) => {
        isRefused ||= error !== undefined && error !== null;
      },
    ) as Record<string, unknown>;
  const isServe = JSON.stringify(words) === '[]' || JSON.stringify(words) === '["serve"]';
  return isRefused || !isServe ? undefined : values;
}

const names = Object.keys(options);
const value = fc.constantFrom(
  'a',
  'a.proto',
  '1',
  '0x10',
  '-',
  '-1',
  '--watch',
  '',
  'true',
  'false',
  'x=y',
  "'q'",
  '"',
  ':8080',
  '1e3',
  ' ',
  'a\nb',
);
const argument = fc
  .oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.constantFrom('proto', 'listen', 'watch', 'reflection', 'workers', ...names), value),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom('help', 'no-watch', 'no-proto', 'unknown', '', 'I', 'proto-path.x'), value),
    },
  )
  .chain(([name, text]) =>
    fc.constantFrom([`--${name}`, text], [`--${name}=${text}`], [`--${name}`], [text], [`-${name}`, text]),
  );

void t.test('read without yargs as by yargs', (t) => {
  let plain = 0;
  const property = fc.property(fc.array(argument, { maxLength: 5 }), fc.boolean(), (parts, named) => {
    const args = [...(named ? ['serve'] : []), ...parts.flat()];
    const found = plainArguments(args, options);
    if (found === undefined) return;
    plain++;
    t.strictSame(found, byYargs(args), args.join(' '));
  });
  fc.assert(property, { numRuns: 150 });
  t.ok(plain > 20, `${plain} are plain`);
  t.end();
});

void t.test('what services are started with is plain, and what is not', (t) => {
  const read = (line: string): unknown => plainArguments(line.split(' '), options);
  t.strictSame(read('--proto a.proto --proto=b.proto --upstream 127.0.0.1:1 --watch'), {
    proto: ['a.proto', 'b.proto'],
    upstream: '127.0.0.1:1',
    watch: true,
  });
  t.strictSame(read('serve --reflection --upstream h:1'), { reflection: 'true', upstream: 'h:1' });
  for (const line of [
    'routes',
    '--help',
    '--version',
    '--proto',
    '--no-watch',
    '-I a',
    '--unknown a',
    '--watch true',
    '--',
  ]) {
    t.equal(read(line), undefined, line);
  }
  t.end();
});
