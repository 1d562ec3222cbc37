/**
 * Random configurations: the reader takes them, the JSON Schema does, and what `print-config` prints of them is the same
 * configuration again. A name that nobody knows is refused by both, at each place.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { type Config, configJsonSchema, loadConfig, optionSpecs, printConfig } from '../../lib/config/index.js';
import { ConfigError } from '../../lib/status.js';
import { schemaFault } from '../support/json-schema.js';

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const time = fc
  .tuple(fc.integer({ min: 1, max: 500 }), fc.constantFrom('ms', 's', 'm', 'h'))
  .map((parts) => parts.join(''));
const oneOrMany = (item: fc.Arbitrary<string>): fc.Arbitrary<string | string[]> =>
  fc.oneof(item, fc.uniqueArray(item, { minLength: 1, maxLength: 3 }));

/** By what `--help` calls the value. */
const byPlaceholder: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  TIME: time,
  SIZE: fc.oneof(fc.constantFrom('64KiB', '1MiB', '1.5 KiB', '3000B'), fc.integer({ min: 1024, max: 1024 ** 2 })),
  URL: word.map((name) => `http://${name}:8080/base`),
  FILE: word.map((name) => `${name}.pem`),
  SHARE: fc.oneof(
    fc.constantFrom('10%', 0, 1),
    fc.double({ min: 0.001, max: 1, noNaN: true }).map((share) => Number(share.toFixed(6))),
  ),
  ADDRESS: fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.constant('0.0.0.0:9090')),
  FORMAT: fc.oneof(
    fc.constantFrom('%RESPONSE_CODE% %REQ(x-a)%', 'a: b'),
    fc.dictionary(word, fc.constantFrom('%DURATION%', 1, true, null)),
  ),
  'FIELD,…': oneOrMany(fc.constantFrom('path', 'status', 'header.referer')),
  TEXT: fc.oneof(word, fc.constantFrom(1.5, 7)),
  HSTS: fc.constantFrom('max-age=31536000', 'max-age=0; includeSubDomains; preload'),
  NAME: word.map((name) => `${name}.example:443`),
  'TYPE,…': oneOrMany(fc.constantFrom('text/css', 'application/json')),
  'NAME,…': oneOrMany(word),
  'SELECTOR,…': oneOrMany(fc.constantFrom('*', 'a.v1.*', 'a.v1.S.M')),
  'LABEL,…': fc.oneof(fc.constantFrom('all', 'none'), oneOrMany(fc.constantFrom('PREVIEW', 'INTERNAL'))),
  TEMPLATE: fc.dictionary(word, fc.constantFrom('%MESSAGE%', 'a: b', 1, true, null, ['%DETAILS%'])),
  'MEDIA-TYPE': fc.constantFrom('application/vnd.acme+json', 'text/json; charset=utf-8'),
  PATH: fc.constantFrom('/agents', '/a/b.c'),
  'ADDRESS,…': oneOrMany(fc.constantFrom('127.0.0.1', '10.0.0.0/8', 'fd00::/8')),
  'CODE=STATUS,…': fc.dictionary(fc.constantFrom('5', '7', 'INTERNAL', '5002'), fc.integer({ min: 400, max: 599 })),
};

const optionValue = ({ kind, key }: (typeof optionSpecs)[number]): fc.Arbitrary<unknown> => {
  const { placeholder, words, jsonSchema } = kind;
  if (placeholder === undefined) return fc.boolean();
  if (words !== undefined) return fc.constantFrom(...words);
  if (placeholder === 'N') return fc.integer({ min: 1, max: (jsonSchema as { maximum: number }).maximum });
  const known = byPlaceholder[placeholder];
  const choices = placeholder.replace(',…', '').split('|');
  if (known === undefined && choices.length < 2) throw new Error(`${placeholder} has no values in this test`);
  const value = known ?? fc.uniqueArray(fc.constantFrom(...choices));
  return kind.isOptional && key !== 'openapiTitle' ? fc.oneof(value, fc.constantFrom('none', null)) : value;
};

type Scope = 'process' | 'listener' | 'mount';

const options = (scope: Scope): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(
    Object.fromEntries(
      optionSpecs
        .filter(({ processOnly }) => scope === 'process' || !processOnly)
        .filter(({ listenerOnly }) => scope !== 'mount' || !listenerOnly)
        .map((spec) => [spec.name, optionValue(spec)] as const),
    ),
    { requiredKeys: [] },
  );

const cors = fc.record(
  {
    origins: oneOrMany(word.map((name) => `https://${name}.example`)),
    methods: oneOrMany(fc.constantFrom('PUT', 'GET')),
    headers: oneOrMany(word),
    expose: oneOrMany(word),
    credentials: fc.boolean(),
    max_age: time,
  },
  { requiredKeys: ['origins'] },
);

const provider = {
  jwks: fc.oneof(
    word.map((name) => `${name}.json`),
    fc.constant('https://idp.example/keys'),
    fc.constant({ keys: [] }),
  ),
  audiences: oneOrMany(word),
  algorithms: fc.oneof(fc.constant('RS256'), fc.constant(['ES256', 'EdDSA'])),
  leeway: fc.oneof(time, fc.constant('0s')),
  max_jwks_bytes: fc.constantFrom('1KiB', 4096),
};

const jwt = fc.record(
  {
    ...provider,
    issuer: word,
    header: fc.constantFrom('authorization', 'X-Token'),
    query_parameter: fc.constantFrom('none', 'token'),
    except: oneOrMany(word.map((name) => `${name}.*`)),
    require: fc.dictionary(word, fc.dictionary(word, fc.oneof(word, fc.integer(), fc.constant([true, 'x'])))),
    forward_claims: fc
      .dictionary(word, word)
      .map((map) => Object.fromEntries(Object.keys(map).map((key) => [key, `x-${key}`]))),
    forward_token: fc.boolean(),
    realm: word,
  },
  { requiredKeys: ['jwks'] },
);

const tls = fc.record({ ca: word, cert: word, key: word, authority: word }, { requiredKeys: [] });

const target = word.map((name) => `${name}:50051`);
const serviceConfig = fc.record(
  {
    loadBalancingConfig: fc.constantFrom([{ other: {} }, { round_robin: {} }], [{ pick_first: {} }]),
    methodConfig: fc.array(
      fc.record(
        {
          name: word.map((name) => [{ service: `a.${name}` }]),
          timeout: fc.constantFrom('1s', '0.5s'),
          maxRequestMessageBytes: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
          retryPolicy: fc.constant({
            ...{ maxAttempts: 3, initialBackoff: '0.1s', maxBackoff: '1s', backoffMultiplier: 1.5 },
            retryableStatusCodes: ['UNAVAILABLE', 10],
          }),
        },
        { requiredKeys: ['name'] },
      ),
      { maxLength: 1 },
    ),
    retryThrottling: fc.constant({ maxTokens: 10, tokenRatio: 0.1 }),
  },
  { requiredKeys: [] },
);
const upstream = fc.oneof(
  target,
  fc.record({ target, tls: fc.oneof(fc.boolean(), tls), service_config: serviceConfig }, { requiredKeys: ['target'] }),
);

const serving = {
  services: oneOrMany(word),
  rules: oneOrMany(word),
  upstreams: fc.oneof(target, fc.dictionary(fc.oneof(word, fc.constant('default')), upstream)),
  methods: fc.dictionary(
    word.map((name) => `${name}.v1.*`),
    fc.record(
      {
        success_status: fc.integer({ min: 200, max: 399 }),
        update_mask: fc.boolean(),
        deadline: time,
        headers: fc.constant([{ header: 'x', field: 'f' }]),
      },
      { requiredKeys: [] },
    ),
  ),
  policies: fc.record(
    { cors: fc.oneof(fc.constant(false), cors), jwt: fc.oneof(fc.constant(false), jwt) },
    { requiredKeys: [] },
  ),
};

/** Members and options in one map. */
const level = (members: Readonly<Record<string, fc.Arbitrary<unknown>>>, requiredKeys: string[], scope: Scope) => {
  const all: Record<string, fc.Arbitrary<unknown>> = { ...serving, ...members };
  return fc
    .tuple(fc.record(all, { requiredKeys }), options(scope))
    .map(([own, given]): Record<string, unknown> => ({ ...given, ...own }));
};

const path = word.map((name) => `/${name}`);
const mountMap = fc.dictionary(path, level({ host: oneOrMany(word) }, [], 'mount'), { maxKeys: 2 });
const mountList = fc.array(level({ path, host: oneOrMany(word) }, [], 'mount'), { maxLength: 2 });
const address = fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.constant('127.0.0.1:8080'));
const listener = level(
  { listen: fc.oneof(address, fc.array(address)), mounts: fc.oneof(mountMap, mountList) },
  ['listen'],
  'listener',
);

const configuration = level(
  {
    proto: oneOrMany(word),
    reflection: fc.boolean(),
    watch: fc.boolean(),
    listeners: fc.array(listener, { minLength: 1, maxLength: 2 }),
    tls: fc.oneof(fc.constant(false), fc.record({ cert: word, key: word, client_ca: word }, { requiredKeys: [] })),
  },
  ['proto'],
  'process',
);

/** Places are those of the file that was read; maps and members of options have no order. */
function plainly(config: Config): string {
  return JSON.stringify(config, (key, value: unknown) => {
    if (key === 'place' || key === 'file') return undefined;
    if (value instanceof Map) return [...value].sort();
    return key === 'fields' && Array.isArray(value)
      ? value
          .map((field) => JSON.stringify(field, (name, inner: unknown) => (name === 'place' ? undefined : inner)))
          .sort()
      : value;
  });
}

void t.test('read, described, printed, read again', (t) => {
  const folder = t.testdir();
  const schema = configJsonSchema() as Readonly<Record<string, unknown>>;
  const load = (text: string): Config => {
    writeFileSync(join(folder, 'c.yaml'), text);
    return loadConfig({ file: 'c.yaml', workingDirectory: folder });
  };
  /** What the reader says that is no matter of form: an upstream that is missing. */
  const isForm = (error: unknown): boolean =>
    !(
      error instanceof ConfigError &&
      error.problems.every(({ code }) => code === 'reflection-upstream' || code === 'upstream-loop')
    );
  fc.assert(
    fc.property(configuration, (written) => {
      const fault = schemaFault(schema, written);
      if (fault !== undefined) throw new Error(`the schema: ${fault}`);
      let config: Config;
      try {
        config = load(stringify(written, { aliasDuplicateObjects: false }));
      } catch (error) {
        if (isForm(error)) throw error;
        return;
      }
      const printed = printConfig(config);
      const printedFault = schemaFault(schema, parse(printed));
      if (printedFault !== undefined) throw new Error(`the schema, of what is printed: ${printedFault}`);
      const again = load(printed);
      if (printConfig(again) !== printed) throw new Error('printed again it is another');
      if (plainly(again) !== plainly(config)) throw new Error(`${plainly(config)}\nbecame\n${plainly(again)}`);
    }),
    { numRuns: 40, endOnFailure: true },
  );
  t.pass('the same');
  t.end();
});

/** The paths of all maps whose names the schema knows. */
function maps(value: unknown, found: object[] = []): object[] {
  if (Array.isArray(value)) value.forEach((item) => maps(item, found));
  else if (typeof value === 'object' && value !== null) {
    found.push(value);
    Object.values(value).forEach((item) => maps(item, found));
  }
  return found;
}

void t.test('a name that nobody knows is refused, by the reader and by the schema', (t) => {
  const folder = t.testdir();
  const schema = configJsonSchema() as Readonly<Record<string, unknown>>;
  const places: readonly object[] = maps({
    listeners: [
      {
        listen: 1,
        mounts: { '/a': { policies: { cors: { origins: '*' }, jwt: { providers: { a: { jwks: 'a' } } } } } },
        tls: { cert: 'a' },
        upstreams: { a: { target: 'a:1', tls: { ca: 'a' } } },
        health: true,
      },
    ],
  });
  const [root] = places as [Record<string, unknown>];
  const open = new Set(['/a', 'a']);
  let refused = 0;
  for (const place of places as Record<string, unknown>[]) {
    // The author of these maps chooses the names.
    if (Object.keys(place).some((name) => open.has(name))) continue;
    place['nobody'] = 'x';
    writeFileSync(join(folder, 'c.yaml'), stringify(root));
    t.throws(() => loadConfig({ file: 'c.yaml', workingDirectory: folder }), { message: /there is no key "nobody"/ });
    t.match(schemaFault(schema, root), /nobody/, JSON.stringify(place));
    delete place['nobody'];
    refused++;
  }
  t.equal(refused, 10);
  t.end();
});
