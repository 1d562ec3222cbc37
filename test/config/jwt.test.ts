/** `policies: { jwt: … }` in a file and in a program: what it takes, what it says of the rest, and that it prints as it reads. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseConfigFile } from '../../lib/config/file.js';
import { printConfig } from '../../lib/config/print.js';
import { ConfigError, type LibraryOptions, loadConfig, type Problem } from '../../lib/index.js';
import type { JwtOptions } from '../../lib/policy/index.js';
import { prepareProxy } from '../../lib/proxy/index.js';
import { ProblemList } from '../../lib/status.js';

/** What stands below `jwt:` → the options, or what is wrong with it. */
function read(lines: string): { jwt: JwtOptions | undefined; errors: readonly Problem[] } {
  const problems = new ProblemList();
  const text = `policies:\n  jwt:\n${lines.replace(/^/gm, '    ')}\n`;
  const { options } = parseConfigFile('c.yaml', text, '/etc/gate', problems);
  return { jwt: options?.jwt, errors: problems.errors };
}

const url = 'jwks: https://idp.example/jwks.json';

void t.test('what is given, and what holds where it is not', (t) => {
  const provider = {
    name: 'default',
    issuer: undefined,
    audiences: [],
    jwks: { kind: 'url', url: 'https://idp.example/jwks.json' },
    algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
    leewayMs: 60_000,
    jwksCacheMs: 600_000,
    jwksCooldownMs: 30_000,
    jwksTimeoutMs: 5000,
    maxJwksBytes: 262_144,
  };
  const policy = {
    header: 'authorization',
    queryParameter: undefined,
    except: [],
    require: [],
    forwardClaims: new Map(),
    forwardToken: true,
    expireStreams: false,
    protectPages: false,
    protectFallback: true,
    realm: 'photongate',
    maxTokenBytes: 16_384,
  };
  t.strictSame(read(url).jwt, { ...policy, providers: [provider] });
  const rows: readonly [lines: string, expected: object][] = [
    [
      `${url}\nleeway: 0s\njwks_cache: 1h\njwks_cooldown: 1s\njwks_timeout: 250ms\nmax_jwks_bytes: 1KiB`,
      {
        providers: [
          { leewayMs: 0, jwksCacheMs: 3_600_000, jwksCooldownMs: 1000, jwksTimeoutMs: 250, maxJwksBytes: 1024 },
        ],
      },
    ],
    [
      `${url}\nheader: X-Token\nquery_parameter: access_token\nrealm: API of x\nmax_token_bytes: 8KiB`,
      {
        header: 'x-token',
        queryParameter: 'access_token',
        realm: 'API of x',
        maxTokenBytes: 8192,
      },
    ],
    [
      `${url}\nforward_token: false\nprotect_pages: true\nprotect_fallback: false`,
      {
        forwardToken: false,
        protectPages: true,
        protectFallback: false,
      },
    ],
    [
      `${url}\nexcept: a.v1.*\nrequire: { a.S.M: { roles: [x, 1, true], org: y } }\nforward_claims: { sub: X-User }`,
      {
        except: [{ selector: 'a.v1.*', place: { line: 4 } }],
        require: [
          {
            selector: 'a.S.M',
            claims: new Map([
              ['roles', ['x', '1', 'true']],
              ['org', ['y']],
            ]),
          },
        ],
        forwardClaims: new Map([['sub', 'x-user']]),
      },
    ],
    ['jwks: keys.json', { providers: [{ jwks: { kind: 'file', path: '/etc/gate/keys.json' } }] }],
    ['jwks: { keys: [] }', { providers: [{ jwks: { kind: 'inline', keys: { keys: [] } } }] }],
    [
      'audiences: api\nleeway: 5s\nproviders:\n  a: { issuer: a, jwks: a.json, leeway: 1s }\n  b: { issuer: b, jwks: b.json, audiences: [x, y] }',
      {
        providers: [
          { name: 'a', audiences: ['api'], leewayMs: 1000 },
          { name: 'b', audiences: ['x', 'y'], leewayMs: 5000 },
        ],
      },
    ],
  ];
  for (const [lines, expected] of rows) {
    const { jwt, errors } = read(lines);
    t.strictSame(errors, [], lines);
    t.match(jwt, expected, lines);
  }
  t.end();
});

void t.test('what will not do', (t) => {
  const rows: readonly [lines: string, line: number, code: string, message: RegExp][] = [
    ['except: [a.B]', 3, 'config-type', /^there is no "jwks": the http:\/\/ or https:\/\/ URL/],
    ['jwks: 7', 3, 'config-type', /^found "7", expected the http/],
    ['jwks: ftp://x/y', 3, 'config-type', /^found "ftp:\/\/x\/y", expected an http:\/\/ or https:\/\/ URL/],
    ['jwks: https://user:pw@x/y', 3, 'config-type', /without user and fragment$/],
    ['jwks: { kes: [] }', 3, 'config-type', /^the keys are not a JSON Web Key Set/],
    ['jwks: { keys: [{ kty: OKP, d: x }] }', 3, 'config-type', /^the keys hold a private key/],
    [
      `${url}\njwks_uri: x`,
      4,
      'unknown-key',
      /^there is no key "jwks_uri" here; "jwt" has: providers, .*; did you mean jwks\?$/,
    ],
    [`${url}\naudience: x`, 4, 'unknown-key', /did you mean audiences\?$/],
    [`${url}\nexept: x`, 4, 'unknown-key', /did you mean except\?$/],
    [
      `${url}\nalgorithms: [RS256, HS256]`,
      4,
      'bad-option',
      /^HS256 is never accepted: it uses a shared secret, so whoever can check a token can also forge one; expected/,
    ],
    [
      `${url}\nalgorithms: none`,
      4,
      'bad-option',
      /^none is never accepted: it has no signature; expected some of RS256/,
    ],
    [`${url}\nalgorithms: [RS255]`, 4, 'bad-option', /did you mean RS256\?$/],
    [`${url}\nalgorithms: []`, 4, 'bad-option', /^an empty list accepts no token/],
    [`${url}\nleeway: 1 minute`, 4, 'bad-option', /^leeway: found "1 minute", expected 0s or a time/],
    [`${url}\njwks_timeout: 0s`, 4, 'bad-option', /^jwks_timeout: found "0s"/],
    [`${url}\nmax_jwks_bytes: 1GiB`, 4, 'bad-option', /^max_jwks_bytes: found "1GiB"/],
    [`${url}\nheader: content-type`, 4, 'config-type', /^found "content-type", expected the name of a request header/],
    [`${url}\nquery_parameter: a b`, 4, 'config-type', /^found "a b", expected none or the name of a query parameter/],
    [`${url}\nrealm: 'a"b'`, 4, 'config-type', /expected ASCII without quotes/],
    [`${url}\naudiences:\n  - a\n  - [b]`, 6, 'config-type', /^found "\[\\"b\\"\]", expected an audience/],
    [`${url}\nexcept: { a: b }`, 4, 'config-type', /expected a selector/],
    [
      `${url}\nrequire: [admin]`,
      4,
      'config-type',
      /^"require" is a map of selectors, such as \{ pkg\.Service\.Method: /,
    ],
    [`${url}\nrequire: { a.B.C: admin }`, 4, 'config-type', /^what a\.B\.C needs is a map of claims/],
    [`${url}\nrequire:\n  a.B.C:\n    roles: [{}]`, 6, 'config-type', /expected the values of a claim/],
    [
      `${url}\nexcept: [a.B.C]\nrequire: { a.B.C: { roles: x } }`,
      5,
      'config-conflict',
      /^a\.B\.C stands under "except", too/,
    ],
    [
      `${url}\nforward_claims: { sub: authorization }`,
      4,
      'config-type',
      /^found "authorization", which is not for claims/,
    ],
    [`${url}\nforward_claims: { sub: grpc-x }`, 4, 'config-type', /not for claims/],
    [`${url}\nforward_claims: { sub: a b }`, 4, 'config-type', /expected a name of metadata/],
    [
      `${url}\nforward_claims:\n  sub: x-user\n  name: X-User`,
      6,
      'config-conflict',
      /^"x-user" is there for another claim/,
    ],
    ['providers: [a]', 3, 'config-type', /^"providers" is a map of names/],
    ['providers: {}', 3, 'config-type', /names nobody/],
    ['providers:\n  a: x.json', 4, 'config-type', /^the provider a is a map/],
    [
      'providers:\n  a: { jwks: a.json }\n  b: { jwks: b.json, issuer: b }',
      4,
      'config-conflict',
      /^the provider a has no "issuer"; of several, each needs one/,
    ],
    [
      'providers:\n  a: { jwks: a.json, issuer: b }\n  b: { jwks: b.json, issuer: b }',
      5,
      'config-conflict',
      /^the provider b has the issuer of a/,
    ],
    [`${url}\nproviders:\n  a: { jwks: a.json }`, 3, 'config-conflict', /^"jwks" stands beside "providers"/],
    ['providers:\n  a: { jwks: a.json, except: x }', 4, 'unknown-key', /; a provider has: issuer, jwks/],
  ];
  for (const [lines, line, code, message] of rows) {
    const { errors } = read(lines);
    t.match(errors, [{ code, message, place: { file: 'c.yaml', line } }], lines);
    t.equal(errors.length, 1, lines);
  }
  const problems = new ProblemList();
  parseConfigFile('c.yaml', 'policies: { jwt: yes please }', '/', problems);
  t.match(problems.errors, [{ code: 'config-type', message: /^"jwt" is false or a map/ }]);
  t.end();
});

const proto = `
syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
service Open { rpc Login(M) returns (M) { option (google.api.http) = { post: "/login" body: "*" }; } }
message M {}
`;

void t.test('levels, printing, selectors and files', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write('a.proto', proto);
  write('good.json', '{"keys":[]}');
  write('bad.json', '{"keys":');
  write('deep.json', `${'['.repeat(50_000)}${']'.repeat(50_000)}`);
  write('within.json', `{"keys":[{"kty":"oct","x":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`);
  const load = (yaml: string) => {
    write('c.yaml', `proto: [a.proto]\nupstreams: 127.0.0.1:1\n${yaml}`);
    return loadConfig({ file: 'c.yaml', workingDirectory: folder });
  };
  const config = load(`
policies: { jwt: { jwks: good.json, issuer: x, except: [a.v1.Open.*], require: { "*": { roles: [a, b] } } } }
listeners:
  - listen: 1
    mounts:
      /a: { policies: { jwt: { providers: { p: { jwks: { keys: [] }, issuer: y } }, forward_claims: { sub: x-sub } } } }
      /b: { policies: { jwt: false } }
`);
  const [listener] = config.listeners;
  t.equal(listener!.root.options.jwt!.providers[0]!.issuer, 'x');
  t.equal(listener!.mounts[0]!.options.jwt!.providers[0]!.issuer, 'y');
  t.equal(listener!.mounts[1]!.options.jwt, undefined, 'false takes it back');
  write('printed.yaml', printConfig(config));
  const again = loadConfig({ file: 'printed.yaml', workingDirectory: folder });
  const plain = (jwt: JwtOptions | undefined): unknown =>
    JSON.parse(
      JSON.stringify(jwt, (key, value: unknown) =>
        key === 'place' ? undefined : value instanceof Map ? [...value] : value,
      ) ?? 'null',
    );
  for (const part of [0, 1]) {
    t.strictSame(plain(again.listeners[0]!.mounts[part]!.options.jwt), plain(listener!.mounts[part]!.options.jwt));
  }
  t.strictSame(plain(again.listeners[0]!.root.options.jwt), plain(listener!.root.options.jwt));

  const rows: readonly [jwt: string, error?: object][] = [
    ['{ jwks: good.json, except: [a.v1.Open.*] }'],
    [
      '{ jwks: good.json, except: [a.v1.Open.Logn] }',
      {
        code: 'unknown-rpc',
        message: /no RPC is named "a\.v1\.Open\.Logn"/,
        hint: 'did you mean a.v1.Open.Login?',
        place: { line: 3 },
      },
    ],
    ['{ jwks: good.json, except: [a.v1.Open] }', { code: 'unknown-rpc', hint: 'write a.v1.Open.* for all RPCs in it' }],
    ['{ jwks: good.json, except: ["a v1"] }', { code: 'selector-syntax' }],
    ['{ jwks: good.json, require: { b.*: { roles: x } } }', { code: 'unknown-rpc', place: { line: 3 } }],
    [
      '{ jwks: none.json }',
      {
        code: 'jwks-file',
        message: /the keys in ".*none\.json" of the JWT provider "default" are not there: no such file/,
      },
    ],
    ['{ jwks: bad.json }', { code: 'jwks-file', message: /cannot be read: / }],
    ['{ jwks: a.proto }', { code: 'jwks-file' }],
    ['{ jwks: deep.json }', { code: 'jwks-file', message: /deep\.json" .* are nested more than 10 deep/ }],
    ['{ jwks: within.json }', { code: 'jwks-file', message: /within\.json" .* are nested more than 10 deep/ }],
    [
      '{ jwks: good.json, max_jwks_bytes: 10 }',
      { code: 'jwks-file', message: /larger than the limit of 10 bytes \(max_jwks_bytes\)/ },
    ],
  ];
  for (const [jwt, error] of rows) {
    const prepare = (): unknown => prepareProxy(load(`policies: { jwt: ${jwt} }`), { offline: true });
    if (error === undefined) t.doesNotThrow(prepare, jwt);
    else t.match(thrown(prepare).problems, [error], jwt);
  }
  t.end();
});

function thrown(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

void t.test('as programs write it', (t) => {
  const load = (jwt: LibraryOptions['jwt']): JwtOptions | undefined =>
    loadConfig({ flags: { descriptorSet: ['x'], options: { jwt } }, workingDirectory: '/srv' }).listeners[0]!.root
      .options.jwt;
  const provider = { issuer: 'p', jwks: 'keys.json', jwksCache: 1500, leeway: 0 };
  t.match(load({ providers: { p: provider }, audiences: 'api', forwardClaims: { userId: 'x-user' } }), {
    providers: [
      {
        jwks: { kind: 'file', path: '/srv/keys.json' },
        jwksCacheMs: 1500,
        leewayMs: 0,
        audiences: ['api'],
        issuer: 'p',
      },
    ],
    forwardClaims: new Map([['userId', 'x-user']]),
  });
  t.match(load({ jwks: 'https://x/y', leeway: '5s', require: { 'a.B': { myRole: 'x' } } }), {
    providers: [{ leewayMs: 5000 }],
    require: [{ claims: new Map([['myRole', ['x']]]) }],
  });
  t.equal(load(undefined), undefined);
  const bad = thrown(() => load({ jwks: 'https://x/y', jwksTimeout: -1 }));
  t.match(bad.problems, [{ code: 'bad-option', message: /^jwt\.jwks_timeout: found "-1ms"/ }]);
  t.match(thrown(() => load('x' as never)).problems, [
    { code: 'config-type', message: /^jwt: "jwt" is false or a map/ },
  ]);
  t.end();
});
