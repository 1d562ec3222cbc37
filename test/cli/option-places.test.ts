/**
 * Every option in every place where it can be given: the file, the environment, a flag, the library. The same value has the
 * same effect in each; a value that will not do is refused in each, with place, value and what is expected.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { environmentName } from '../../lib/cli/flags.js';
import {
  flagName,
  libraryName,
  loadConfig,
  type LibraryOptions,
  type OptionSpec,
  optionSpecs,
  printConfig,
} from '../../lib/config/index.js';
import { ConfigError } from '../../lib/status.js';
import { runMain } from '../support/cli.js';

/** A value as files and programs write it, and as the text of a flag. */
interface Sample {
  readonly value: unknown;
  readonly text: string;
}

const plain = (value: unknown): Sample => ({ value, text: String(value) });

/** By what `--help` calls the value: one that is nowhere the default, and one that will not do; undefined where all will. */
const samples: Readonly<Record<string, readonly [good: Sample, bad: string | undefined]>> = {
  TIME: [plain('17s'), 'soon'],
  SIZE: [plain('123KiB'), 'lots'],
  N: [plain(7), '1.5'],
  URL: [plain('http://127.0.0.1:9'), 'nowhere'],
  FILE: [plain('a.pem'), undefined],
  SHARE: [plain(0.25), '2'],
  ADDRESS: [plain('127.0.0.1:9'), 'nowhere'],
  'FIELD,…': [{ value: ['path', 'header.x'], text: 'path,header.x' }, 'pathh'],
  TEXT: [plain('some text'), undefined],
  HSTS: [plain('max-age=60; includeSubDomains'), 'a year'],
  NAME: [plain('n.example'), 'a b'],
  'TYPE,…': [{ value: ['text/css', 'a/b'], text: 'text/css,a/b' }, 'css'],
  'NAME,…': [{ value: ['x-a', 'x-b'], text: 'x-a,x-b' }, undefined],
  'SELECTOR,…': [{ value: ['a.v1.*', 'b.v1.S.M'], text: 'a.v1.*,b.v1.S.M' }, 'a b'],
  'LABEL,…': [{ value: ['PREVIEW', 'INTERNAL'], text: 'PREVIEW,INTERNAL' }, 'a b'],
  TEMPLATE: [{ value: { code: '%RESPONSE_CODE%' }, text: '{"code":"%RESPONSE_CODE%"}' }, '%MESSAGE%'],
  'MEDIA-TYPE': [plain('application/vnd.acme+json'), 'json'],
  PATH: [plain('/agents'), 'agents'],
  'ADDRESS,…': [{ value: ['10.0.0.0/8', 'unix'], text: '10.0.0.0/8,unix' }, 'somewhere'],
  'CODE=STATUS,…': [{ value: { 5: 410, 5002: 404 }, text: '5=410,5002=404' }, '5=x'],
};

/** Names that are none of the usual kind. */
const ownSamples: Readonly<Record<string, readonly [good: Sample, bad: string]>> = {
  access_log_format: [plain('%PROTOCOL%'), '%NOPE%'],
};

function sampleOf({ name, kind, defaultValue }: OptionSpec): readonly [good: Sample, bad: string | undefined] {
  const own = ownSamples[name];
  if (own !== undefined) return own;
  if (kind.placeholder === undefined) return [plain(defaultValue !== true), 'maybe'];
  const known = samples[kind.placeholder];
  if (known !== undefined) return known;
  const isList = kind.placeholder.endsWith(',…');
  const words = kind.placeholder.replace(',…', '').split('|');
  const word = words.find((each) => each !== 'none' && each !== kind.print(defaultValue as never))!;
  return [isList ? { value: [word], text: word } : plain(word), 'zzz'];
}

/** The options of the process and of the first listener. */
function printedOptions(printed: string): Record<string, unknown> {
  const { listeners, ...top } = parse(printed) as { listeners: [Record<string, unknown>] };
  return { ...top, ...listeners[0] };
}

const base = { descriptorSet: ['set.binpb'], upstreams: ['127.0.0.1:1'], listen: ['127.0.0.1:7000'] };
const baseFlags = ['--descriptor-set', 'set.binpb', '--upstream', '127.0.0.1:1', '--listen', '127.0.0.1:7000'];
const baseFile = { descriptor_set: 'set.binpb', upstreams: { default: '127.0.0.1:1' }, listen: '127.0.0.1:7000' };

const all = optionSpecs.map((spec) => ({ spec, name: spec.name, good: sampleOf(spec)[0], bad: sampleOf(spec)[1] }));
const refused = all.filter((each) => each.bad !== undefined) as readonly ((typeof all)[number] & { bad: string })[];

void t.test('the same value is the same, wherever it is given', async (t) => {
  const folder = t.testdir();
  const usual = await runMain(['print-config', ...baseFlags], folder);
  t.equal(usual.code, 0, usual.stderr);

  const values = Object.fromEntries(all.map(({ name, good }) => [name, good.value]));
  writeFileSync(join(folder, 'p.yaml'), stringify({ ...baseFile, ...values }));
  const byFile = await runMain(['print-config', '--config', 'p.yaml'], folder);
  t.equal(byFile.code, 0, byFile.stderr);

  const environment = Object.fromEntries(all.map(({ name, good }) => [environmentName(flagName(name)), good.text]));
  const byEnvironment = await runMain(['print-config', ...baseFlags], folder, environment);
  t.equal(byEnvironment.stdout, byFile.stdout, `environment ${byEnvironment.stderr}`);

  const flags = all.map(({ spec, name, good }) =>
    spec.kind.placeholder === undefined
      ? `--${good.value === true ? '' : 'no-'}${flagName(name)}`
      : `--${flagName(name)}=${good.text}`,
  );
  const byFlag = await runMain(['print-config', ...baseFlags, ...flags], folder);
  t.equal(byFlag.stdout, byFile.stdout, `flags ${byFlag.stderr}`);

  const options = Object.fromEntries(all.map(({ name, good }) => [libraryName(name), good.value])) as LibraryOptions;
  const config = loadConfig({ flags: { ...base, options }, workingDirectory: folder });
  t.equal(printConfig(config), byFile.stdout, 'library');

  const [before, after] = [usual, byFile].map(({ stdout }) => printedOptions(stdout));
  t.strictSame(
    all.filter(({ name }) => JSON.stringify(before![name]) === JSON.stringify(after![name])).map(({ name }) => name),
    [],
    'each of them had an effect',
  );
});

void t.test('none takes an option back, wherever it is given, and whatever the default and the file say', async (t) => {
  const folder = t.testdir();
  const optional = all.filter(
    ({ spec }) => spec.kind.description.startsWith('none, or ') || /, or none$/.test(spec.kind.description),
  );
  t.ok(optional.length > 15, `${optional.length} options`);
  const none = Object.fromEntries(
    optional.map(({ name, spec }) => [name, spec.kind.print(spec.kind.read('none') as never)]),
  );
  const found = (printed: string) => {
    const values = printedOptions(printed);
    return Object.fromEntries(optional.map(({ name }) => [name, values[name]]));
  };
  const values = Object.fromEntries(optional.map(({ name, good }) => [name, good.value]));
  const nones = (nameOf: (name: string) => string) =>
    Object.fromEntries(optional.map(({ name }) => [nameOf(name), 'none']));
  for (const file of [baseFile, { ...baseFile, ...values }]) {
    const what = file === baseFile ? 'a default' : 'the file';
    writeFileSync(join(folder, 'p.yaml'), stringify(file));
    const environment = nones((name) => environmentName(flagName(name)));
    const byEnvironment = await runMain(['print-config', '--config', 'p.yaml'], folder, environment);
    t.strictSame(found(byEnvironment.stdout), none, `environment over ${what}`);
    const flags = optional.map(({ name }) => `--${flagName(name)}=none`);
    const byFlag = await runMain(['print-config', '--config', 'p.yaml', ...flags], folder);
    t.strictSame(found(byFlag.stdout), none, `flags over ${what}`);
    const options = nones(libraryName) as LibraryOptions;
    const byLibrary = loadConfig({ flags: { options }, file: 'p.yaml', workingDirectory: folder });
    t.strictSame(found(printConfig(byLibrary)), none, `library over ${what}`);
    const inner = Object.fromEntries(optional.map(({ spec }) => [spec.key, spec.kind.read('none')]));
    const byInnerName = loadConfig({ flags: { options: inner }, file: 'p.yaml', workingDirectory: folder });
    t.strictSame(found(printConfig(byInnerName)), none, `inner names over ${what}`);
  }
  writeFileSync(join(folder, 'p.yaml'), stringify({ ...baseFile, ...nones((name) => name) }));
  t.strictSame(found((await runMain(['print-config', '--config', 'p.yaml'], folder)).stdout), none, 'file');
});

void t.test('what will not do is refused, wherever it is given', async (t) => {
  const folder = t.testdir();
  const expects = (text: string, name: string, title: string, bad: string): void => {
    const line = text.split('\n').find((each) => each.includes(`${title}: found `)) ?? '';
    t.ok(line.includes(bad) && /expected |it takes |write /.test(line), `${name}: ${line === '' ? text : line}`);
  };

  const environment = Object.fromEntries(refused.map(({ name, bad }) => [environmentName(flagName(name)), bad]));
  const byEnvironment = await runMain(['print-config', ...baseFlags], folder, environment);
  t.equal(byEnvironment.code, 2);
  for (const { name, bad } of refused) expects(byEnvironment.stderr, name, environmentName(flagName(name)), bad);

  const flags = refused.filter(({ spec }) => spec.kind.placeholder !== undefined);
  const byFlag = await runMain(
    ['print-config', ...baseFlags, ...flags.map(({ name, bad }) => `--${flagName(name)}=${bad}`)],
    folder,
  );
  t.equal(byFlag.code, 2);
  for (const { name, bad } of flags) expects(byFlag.stderr, name, `--${flagName(name)}`, bad);

  const file = stringify({ ...baseFile, ...Object.fromEntries(refused.map(({ name, bad }) => [name, bad])) });
  writeFileSync(join(folder, 'p.yaml'), file);
  const byFile = await runMain(['print-config', '--config', 'p.yaml'], folder);
  t.equal(byFile.code, 1);
  for (const { name, bad } of refused) {
    expects(byFile.stderr, name, name, bad);
    const line = file.split('\n').findIndex((each) => each.startsWith(`${name}: `)) + 1;
    t.ok(byFile.stderr.includes(`p.yaml:${line}:`), `${name}: line ${line}`);
  }

  const options = Object.fromEntries(refused.map(({ name, bad }) => [libraryName(name), bad])) as LibraryOptions;
  try {
    loadConfig({ flags: { ...base, options }, workingDirectory: folder });
    t.fail('the library took them');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const messages = error.problems.map(({ message }) => message).join('\n');
    for (const { name, bad } of refused) expects(messages, name, libraryName(name), bad);
  }
});
