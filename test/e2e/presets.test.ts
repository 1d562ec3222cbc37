/** Presets: their options are those of docs/presets.md, what is given wins at whatever level, and some requests show it. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseConfigFile } from '../../lib/config/file.js';
import { loadConfig, optionSpecs, presets, printConfig, type PresetName } from '../../lib/config/index.js';
import type { Options } from '../../lib/config/options.js';
import { ProblemList } from '../../lib/status.js';
import { type RequestOptions, startTestProxy } from '../support/proxy.js';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const page = readFileSync(new URL('../../docs/presets.md', import.meta.url), 'utf8');

void t.test('docs/presets.md names the options of each', (t) => {
  const columns = ['envoy', 'grpc-gateway', 'google'] as const;
  const documented = new Map<string, Record<string, string>>(columns.map((name) => [name, {}]));
  for (const [, option, ...cells] of page.matchAll(/^\| `([a-z_0-9]+)` ?[^|]*\| ([^|]*) \| ([^|]*) \| ([^|]*) \|/gm)) {
    columns.forEach((name, index) => {
      const cell = cells[index]!.trim();
      if (cell !== '') documented.get(name)![option!] = cell.replace(/`/g, '');
    });
  }
  for (const name of columns) {
    const actual = Object.entries(presets[name]).map(([key, value]) => {
      const spec = optionSpecs.find((candidate) => candidate.key === key);
      const snake = spec?.name ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return [snake, [value].flat().join(',')] as const;
    });
    t.strictSame(documented.get(name), Object.fromEntries(actual), name);
  }
  t.end();
});

const proto = `
syntax = "proto3";
package preset.v1;
import "google/api/annotations.proto";
service Preset {
  rpc Get(Message) returns (Message) { option (google.api.http) = { get: "/v1/{name}" }; }
  rpc Deep(Message) returns (Message) { option (google.api.http) = { get: "/deep/{name=**}" }; }
  rpc Put(Message) returns (Message) { option (google.api.http) = { put: "/v1/{name}" body: "*" }; }
}
message Message { string name = 1; bool flag = 2; int64 big = 3; }
`;

const foreign = { headers: { origin: 'https://evil.example' }, body: '{}' };
const named = { headers: { host: 'api.example' } };

/** What each preset gives: none, envoy, grpc-gateway, google. A number is the status, a text a part of the body. */
const rows: readonly [request: string, send: RequestOptions, answers: readonly (number | string)[]][] = [
  ['GET /v1/a?nope=1', {}, [400, 400, 200, 400]],
  ['PUT /v1/a', { body: '{"nope":1}' }, [400, 200, 200, 200]],
  ['GET /v1/a', { body: 'text' }, [400, 200, 200, 400]],
  ['PUT /v1/a', { body: '{"name":"b"}' }, [400, 400, '"name":"a"', 400]],
  ['GET /v1/a+b%2B?flag', {}, ['a+b+', 'a+b+', 'a+b+', 'a+b+']],
  ['GET /deep/a%2Fb%23', {}, ['a%2Fb#', 'a%2Fb%23', 'a/b#', 'a%2Fb#']],
  ['GET /v1/a?flag=1', {}, [400, 400, '"flag":true', 400]],
  ['GET /v1/a/', {}, [200, 200, 404, 200]],
  ['GET /v1/a', {}, ['{"name":"a"}', '{"name":"a"}', '{"name":"a","flag":false,"big":"0"}', '{"name":"a"}']],
  ['GET /none', {}, ['{"code":5', '{"code":5', '{"code":5', '{"error":{"code":404']],
  ['GET /health', {}, [200, 404, 200, 200]],
  ['POST /v1/a', { body: '{}', headers: { 'x-http-method-override': 'PUT' } }, [405, 405, 405, 200]],
  ['PUT /v1/a', foreign, [403, 200, 403, 403]],
  ['GET /v1/a', named, [403, 200, 403, 403]],
];

void t.test('what requests get', async (t) => {
  const names: readonly PresetName[] = ['none', 'envoy', 'grpc-gateway', 'google'];
  for (const [column, preset] of names.entries()) {
    const proxy = await startTestProxy(proto, { preset });
    for (const [request, send, answers] of rows) {
      const expected = answers[column]!;
      const response = await proxy.send(request, send);
      if (typeof expected === 'number') t.equal(response.status, expected, `${preset}: ${request} ${response.text}`);
      else t.ok(response.text.includes(expected), `${preset}: ${request} ${response.text}`);
    }
    await proxy.close();
  }
});

void t.test('what is given wins, at whatever level', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-preset-'));
  const file = join(folder, 'p.yaml');
  const load = (text: string, options: object = {}) => {
    writeFileSync(file, text);
    return loadConfig({ file, flags: { descriptorSet: ['x'], options }, workingDirectory: folder });
  };
  const optionsOf = (text: string, options: object = {}): Options => load(text, options).listeners[0]!.root.options;
  t.match(optionsOf('preset: envoy'), { literalPlus: true, allowedHosts: ['*'] });
  t.match(optionsOf('preset: envoy\nliteral_plus: false'), { literalPlus: false, checkOrigin: false });
  t.match(optionsOf('', { preset: 'envoy' }), { literalPlus: true });
  t.match(optionsOf('literal_plus: false', { preset: 'envoy' }), { literalPlus: false });
  t.match(optionsOf('preset: envoy', { literalPlus: false }), { literalPlus: false });
  t.match(optionsOf('preset: envoy', { preset: 'google' }), { literalPlus: false, errorFormat: 'aip193' });
  t.match(optionsOf('preset: google', { preset: 'none' }), { errorFormat: 'status' });
  t.match(optionsOf('preset: google\nenvelope: photon'), { errorFormat: 'photon' });
  t.match(optionsOf('preset: google\nenvelope: photon\nerror_format: problem'), { errorFormat: 'problem' });
  const text =
    'health: true\nlisteners: [{ listen: 1, preset: google, mounts: { /a: { preset: envoy }, /b: {}, /c: { preset: none, literal_plus: true } } }]';
  const config = load(text);
  const [{ root, mounts }] = config.listeners as [(typeof config.listeners)[0]];
  t.match(root.options, { preset: 'google', errorFormat: 'aip193' });
  t.match(mounts[0]!.options, { preset: 'envoy', errorFormat: 'status', health: true, literalPlus: true });
  t.match(mounts[1]!.options, { preset: 'google', errorFormat: 'aip193' });
  t.match(mounts[2]!.options, { preset: 'none', errorFormat: 'status', literalPlus: true, ignoreUnknownFields: false });
  const printed = printConfig(config);
  t.match(printed, /preset: google[^]*error_format: aip193[^]*preset: envoy[^]*literal_plus: true/, 'effective values');
  t.strictSame(printConfig(load(printed)), printed, 'and as a file it is the same again');
  const problems = new ProblemList();
  parseConfigFile('p.yaml', 'preset: envoi', '/', problems);
  t.match(problems.errors, [{ message: /^preset: found "envoi", expected one of none, envoy.*did you mean envoy\?/ }]);
  t.end();
});
