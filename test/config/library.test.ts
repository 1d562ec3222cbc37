/** Options as programs give them: plain camelCase names, values as in a file, times also in milliseconds. */
import t from 'tap';
import { libraryName, optionSpecs } from '../../lib/config/index.js';
import { type LibraryOptions, loadConfig } from '../../lib/index.js';

const read = (options: LibraryOptions) =>
  loadConfig({ flags: { descriptorSet: ['x'], upstreams: ['127.0.0.1:1'], options } }).listeners[0]!.root.options;

void t.test('each option has its name in the library', (t) => {
  for (const { name, key } of optionSpecs) {
    t.equal(libraryName(name), key.replace(/Ms$/, ''), name);
  }
  t.end();
});

void t.test('values', (t) => {
  const rows: readonly [LibraryOptions, object][] = [
    [{ idleTimeout: '90s' }, { idleTimeoutMs: 90_000 }],
    [{ idleTimeout: 1500 }, { idleTimeoutMs: 1500 }],
    [
      { defaultDeadline: '5s', maxDeadline: 'none' },
      { defaultDeadlineMs: 5000, maxDeadlineMs: undefined },
    ],
    [
      { maxBodyBytes: '8MiB', maxUrlBytes: 4096 },
      { maxBodyBytes: 8 * 1024 ** 2, maxUrlBytes: 4096 },
    ],
    [
      { statusMap: { 5: 410, INTERNAL: 502 } },
      {
        statusMap: new Map([
          [5, 410],
          [13, 502],
        ]),
      },
    ],
    [{ statusMap: new Map([[5, 410]]) }, { statusMap: new Map([[5, 410]]) }],
    [{ statusMap: { 5002: 404 } }, { statusMap: new Map([[5002, 404]]) }],
    [
      { statusMap: '5002=404,5=410' },
      {
        statusMap: new Map([
          [5002, 404],
          [5, 410],
        ]),
      },
    ],
    [
      { statusMap: 'none', ignoreQuery: 'none' },
      { statusMap: new Map(), ignoreQuery: [] },
    ],
    [{ ignoreQuery: 'a,b' }, { ignoreQuery: ['a', 'b'] }],
    [
      { ignoreQuery: ['a'], health: false, preset: 'google' },
      { ignoreQuery: ['a'], health: false, errorFormat: 'aip193' },
    ],
    [{ fallback: undefined }, { fallback: undefined, health: true }],
  ];
  for (const [options, expected] of rows) t.match(read(options), expected, JSON.stringify(options));
  t.end();
});

void t.test('what will not do', (t) => {
  const rows: readonly [object, RegExp][] = [
    [{ idleTimeout: '5' }, /^idleTimeout: found "5", expected a time/],
    [{ idleTimeout: 0 }, /^idleTimeout: found "0ms", expected a time/],
    [{ statusMap: { 0: 404 } }, /^statusMap: found "0=404", expected none, or pairs of a gRPC code/],
    [{ statusMap: { 2147483648: 404 } }, /^statusMap: found "2147483648=404"/],
    [{ statusMap: { 5002: 200 } }, /^statusMap: found "5002=200"/],
    [{ statusMap: '5=404,NOT_FOUND=410' }, /^statusMap: found "5=404", expected one HTTP status for the code 5/],
    [{ health: 'yes' }, /^health: found "yes", expected true or false/],
    [{ idle_timeout: '5s' }, /^there is no option "idle_timeout"$/],
    [{ maxJsonDepth: 1.5 }, /^maxJsonDepth: found "1.5", expected a whole number/],
  ];
  for (const [options, message] of rows) t.throws(() => read(options), { message }, JSON.stringify(options));
  t.end();
});
