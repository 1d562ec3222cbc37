/**
 * Google's showcase server (gapic-showcase) behind photongate with `preset: google`, its schema taken by reflection and its
 * mixins' rules from its service config:
 *
 * - every request of the compliance suite that its client generators are tried with, over every binding that the suite
 *   names. What must come back is computed here, from the suite and the rules of transcoding;
 * - calls of its other services, answered as by the REST server that it has of its own, on the same port.
 *
 *     node --import tsx test/clients/showcase.ts SERVER MODULE
 *
 * SERVER is the program, MODULE the folder of its Go module (`go list -m -f '{{.Dir}}'`); `.ci/run` shows how to get both.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';

type Scalar = string | number | boolean | null;
type Json = Scalar | Json[] | JsonObject;
type JsonObject = { readonly [name: string]: Json };

const [program, moduleFolder] = process.argv.slice(2) as [string, string];
const failures: string[] = [];

function check(label: string, found: unknown, expected: unknown): void {
  if (isDeepStrictEqual(found, expected)) return;
  failures.push(`${label}\n  found    ${JSON.stringify(found)}\n  expected ${JSON.stringify(expected)}`);
}

// ---- the server

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startShowcase(): Promise<{ url: string; port: number; process: ChildProcess }> {
  const port = await freePort();
  const process = spawn(program, ['run', '--port', `:${port}`, '--fallback-port', `:${await freePort()}`], {
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 100; tries++) {
    const up = await fetch(`${url}/hello`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (up) return { url, port, process };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  process.kill();
  throw new Error('showcase did not answer within 10 s');
}

/** The REST server of showcase wants to be called as by a generated client. */
const clientHeaders = { 'x-goog-api-client': 'rest/1.0.0 gapic/1.0.0' };

interface Request {
  /** `POST+PATCH` is a PATCH as clients in Java send it: by POST, with a header. */
  readonly method: string;
  readonly target: string;
  readonly body?: Json | undefined;
}

interface Answer {
  readonly status: number;
  readonly json: Json;
}

async function send(url: string, { method, target, body }: Request): Promise<Answer> {
  const [sent, meant] = method.split('+') as [string, string | undefined];
  const response = await fetch(url + target, {
    method: sent,
    signal: AbortSignal.timeout(20_000),
    headers: {
      ...clientHeaders,
      ...(meant === undefined ? {} : { 'x-http-method-override': meant }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  try {
    return { status: response.status, json: JSON.parse(text) as Json };
  } catch {
    return { status: response.status, json: text };
  }
}

// ---- the suite

interface Group {
  readonly rpcs: readonly string[];
  readonly requests: readonly JsonObject[];
}

interface Rule {
  readonly method: string;
  readonly template: string;
  readonly body?: string;
}

/** As in compliance.proto; of an rpc with several the first whose patterns fit is used, as the clients do it. */
const bindings: Readonly<Record<string, readonly Rule[]>> = {
  RepeatDataBody: [{ method: 'POST', template: '/v1beta1/repeat:body', body: '*' }],
  RepeatDataBodyInfo: [{ method: 'POST', template: '/v1beta1/repeat:bodyinfo', body: 'info' }],
  RepeatDataQuery: [{ method: 'GET', template: '/v1beta1/repeat:query' }],
  RepeatDataSimplePath: [
    {
      method: 'GET',
      template: '/v1beta1/repeat/{info.fString}/{info.fInt32}/{info.fDouble}/{info.fBool}/{info.fKingdom}:simplepath',
    },
  ],
  RepeatDataPathResource: [
    {
      method: 'GET',
      template: '/v1beta1/repeat/{info.fString=first/*}/{info.fChild.fString=second/*}/bool/{info.fBool}:pathresource',
    },
    {
      method: 'GET',
      template:
        '/v1beta1/repeat/{info.fChild.fString=first/*}/{info.fString=second/*}/bool/{info.fBool}:childfirstpathresource',
    },
  ],
  RepeatDataPathTrailingResource: [
    {
      method: 'GET',
      template: '/v1beta1/repeat/{info.fString=first/*}/{info.fChild.fString=second/**}:pathtrailingresource',
    },
  ],
  RepeatDataBodyPut: [{ method: 'PUT', template: '/v1beta1/repeat:bodyput', body: '*' }],
  RepeatDataBodyPatch: [{ method: 'PATCH', template: '/v1beta1/repeat:bodypatch', body: '*' }],
};

/** What a variable of a path stands for where the request does not have the field: the default of its type. */
const defaults: Readonly<Record<string, Scalar>> = {
  'info.fInt32': 0,
  'info.fDouble': 0,
  'info.fBool': false,
  'info.fKingdom': 'LIFE_KINGDOM_UNSPECIFIED',
};

function leaves(value: Json, path = ''): [path: string, value: Scalar][] {
  if (value === null || typeof value !== 'object') return [[path, value]];
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, path === '' ? name : `${path}.${name}`));
}

/** A request as the rule wants it; undefined where a value does not fit its pattern. */
function transcode(rule: Rule, request: JsonObject): Request | undefined {
  const values = new Map(leaves(request));
  let fits = true;
  const path = rule.template.replace(/\{([^}=]+)(?:=([^}]+))?\}/g, (_, name: string, pattern = '*') => {
    const text = String(values.get(name) ?? defaults[name] ?? '');
    values.delete(name);
    const expression = (pattern as string).replace(/\*\*|\*/g, (star) => (star === '*' ? '[^/]+' : '.+'));
    // A lone segment may hold slashes, which are escaped; a pattern's own slashes are not.
    fits &&= pattern === '*' ? text !== '' : new RegExp(`^${expression}$`).test(text);
    return pattern === '*' ? encodeURIComponent(text) : text.split('/').map(encodeURIComponent).join('/');
  });
  if (!fits) return undefined;
  if (rule.body === '*') return { method: rule.method, target: path, body: request };
  const inBody = rule.body;
  const query = [...values]
    .filter(([name]) => inBody === undefined || !name.startsWith(`${inBody}.`))
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join('&');
  return {
    method: rule.method,
    target: query === '' ? path : `${path}?${query}`,
    body: inBody === undefined ? undefined : request[inBody],
  };
}

/** How ProtoJSON prints the message that a request of the suite means: as its schema has the fields. */
function printed(value: Json, name = ''): Json {
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value as JsonObject).map(([key, inner]) => [key, printed(inner, key)] as const);
    return Object.fromEntries(entries.filter(([key, inner]) => key.startsWith('p') || !isDefault(inner)));
  }
  if (/^[fp](S|U)?(int|fixed)64$/i.test(name) || /^fSfixed64$/.test(name)) return String(value);
  // Of a float the shortest digits are printed, which a parser of doubles reads as another number.
  return name === 'fFloat' ? Math.fround(value as number) : value;
}

function isDefault(value: Json): boolean {
  return value === '' || value === 0 || value === '0' || value === false || value === 'LIFE_KINGDOM_UNSPECIFIED';
}

function floats(value: Json, name = ''): Json {
  if (Array.isArray(value)) return value.map((item) => floats(item));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, floats(inner, key)]));
  return name === 'fFloat' ? Math.fround(value as number) : value;
}

async function runSuite(photongate: string, showcase: string): Promise<number> {
  const file = join(moduleFolder, 'server/services/compliance_suite.json');
  const suite = JSON.parse(readFileSync(file, 'utf8')) as { group: readonly Group[] };
  let count = 0;
  for (const { rpcs, requests } of suite.group) {
    for (const [rpc, given] of rpcs.flatMap((name) => requests.map((request) => [name, request] as const))) {
      // Which binding was used no gRPC service can know, so showcase cannot verify it; the template chosen below is it.
      const request = given['intendedBindingUri'] === undefined ? given : { ...given, serverVerify: false };
      const rule = bindings[rpc.split('.')[1]!]!.find((candidate) => transcode(candidate, request) !== undefined);
      if (rule === undefined) throw new Error(`${rpc}: no binding for ${JSON.stringify(request)}`);
      const label = `${rpc}, ${request['name'] as string}`;
      const http = transcode(rule, request)!;
      const { status, json } = await send(photongate, http);
      check(
        `${label}: ${JSON.stringify(http)}`,
        { status, json: floats(json) },
        {
          status: 200,
          json: { request: printed(request) },
        },
      );
      const peer = await send(showcase, http);
      check(`${label}, beside showcase's own: ${JSON.stringify(http)}`, common(json), common(peer.json));
      count++;
    }
  }
  return count;
}

// ---- beside its own REST server

/** Without what the two print differently: the peer prints fields that are not set, and in an error no `status`. */
function common(value: Json): Json {
  if (Array.isArray(value)) return value.map(common);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => inner !== null && name !== 'bindingUri')
      .map(([name, inner]) => [name, common(inner)] as const)
      .filter(([, inner]) => !isEmpty(inner)),
  );
}

function isEmpty(value: Json): boolean {
  if (value !== null && typeof value === 'object') return Object.keys(value).length === 0;
  return isDefault(value) || value === 'CONTINENT_UNSPECIFIED' || value === 'UNNECESSARY';
}

/**
 * `POST /v1beta1/echo:echo {"content":"a"}`; `NAME` in a target is the name that the last creation answered with. Not here is
 * what showcase does wrong by itself: its REST server takes `rooms/0/blurbs/0` for a room and falls over a PATCH without a
 * mask, its gRPC server locks up with the second session.
 */
type Line = readonly [line: string, body?: Json];

const user = { displayName: 'Ada', email: 'ada@example.com', age: 0, nickname: '', heightFeet: 5.5 };
const endTime = '2026-01-01T00:00:00.123456789Z';

const lines: readonly Line[] = [
  ['POST /v1beta1/echo:echo', { content: 'a "b" ☺', severity: 'CRITICAL', requestId: 'x', otherRequestId: '' }],
  ['POST /v1beta1/echo:echo?$alt=json%3Benum-encoding%3Dint', { content: 'int', severity: 'URGENT' }],
  ['POST /v1beta1/echo:echo', { error: { code: 5, message: 'no such "thing"' } }],
  ['POST /v1beta1/echo:echo', { error: { code: 13, message: 'é' } }],
  ['POST /v1beta1/echo:error-details', { singleDetailText: 'one' }],
  ['POST /v1beta1/echo:error-details', { singleDetailText: 'one', multiDetailText: ['two', 'three'] }],
  ['POST /v1beta1/echo:expand', { content: 'a stream of words "]" {' }],
  ['POST /v1beta1/echo:expand?$alt=json%3Benum-encoding%3Dint', { content: 'a b' }],
  ['POST /v1beta1/echo:expand', { error: { code: 3, message: 'at once' } }],
  ['POST /v1beta1/echo:pagedExpand', { content: 'a b c d', pageSize: 2 }],
  ['POST /v1beta1/echo:pagedExpand', { content: 'a b c d', pageSize: 2, pageToken: '2' }],
  ['POST /v1beta1/echo:pagedExpand', { content: 'a b', pageToken: 'x' }],
  ['POST /v1beta1/echo:pagedExpandLegacy', { content: 'a b c d', maxResults: 3 }],
  ['POST /v1beta1/echo:pagedExpandLegacyMapped', { content: 'aa ab b é', pageSize: 2 }],
  ['POST /v1beta1/echo:block', { responseDelay: '0.05s', success: { content: 'late' } }],
  ['POST /v1beta1/echo:block', { error: { code: 9, message: 'blocked' } }],
  ['POST /v1beta1/echo:wait', { endTime, success: { content: 'done' } }],
  ['GET /v1beta1/NAME'],
  ['POST /v1beta1/echo:wait', { endTime, error: { code: 3, message: 'failed' } }],
  ['GET /v1beta1/NAME'],
  ['GET /v1beta1/operations/nothing'],
  ['POST /v1beta1/operations/a:cancel', {}],
  ['GET /v1beta1/operations?name=a&pageSize=3'],
  ['POST /v1beta1/users', { user }],
  ['GET /v1beta1/NAME'],
  ['PATCH /v1beta1/NAME?updateMask=nickname', { ...user, nickname: 'Countess' }],
  ['PATCH /v1beta1/NAME?updateMask=displayName,heightFeet', { ...user, displayName: 'A', heightFeet: 0 }],
  ['POST+PATCH /v1beta1/NAME?updateMask=email', { ...user, email: 'b@example.com' }],
  ['GET /v1beta1/users?pageSize=1'],
  ['POST /v1beta1/NAME/profile/blurbs', { blurb: { user: 'users/1', text: 'in a profile' } }],
  ['POST /v1beta1/users/0:setIamPolicy', { policy: { version: 3, etag: '+/8=', bindings: [{ role: 'r' }] } }],
  ['GET /v1beta1/users/0:getIamPolicy'],
  ['POST /v1beta1/users/0:testIamPermissions', { permissions: ['a.b', 'c'] }],
  ['GET /v1beta1/rooms/none:getIamPolicy'],
  ['DELETE /v1beta1/users/0'],
  ['GET /v1beta1/users/0'],
  ['POST /v1beta1/rooms', { room: { displayName: 'Room' } }],
  ['POST /v1beta1/NAME/blurbs', { blurb: { user: 'users/1', image: '+/+/AA==' } }],
  ['GET /v1beta1/projects/p/locations'],
  ['GET /v1beta1/projects/p/locations/us-north'],
  ['POST /v1beta1/sequences', { responses: [{ status: { code: 14 }, delay: '0.010s' }, { status: {} }] }],
  ['POST /v1beta1/NAME', {}],
  ['POST /v1beta1/NAME', {}],
  ['GET /v1beta1/NAME/sequenceReport'],
  ['GET /v1beta1/users/none'],
];

const times = /^(createTime|updateTime|attemptDeadline|responseTime|attemptDelay)$/;

function settled(value: Json): Json {
  if (Array.isArray(value)) return value.map(settled);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, times.test(name) ? 'a time' : settled(inner)]),
  );
}

/** An enum value that the schema does not have, from one answer into the next request, by its number. */
async function enumRoundTrip(photongate: string, showcase: string): Promise<number> {
  const path = '/v1beta1/compliance/enum';
  const targets = ['', 'unknownEnum=true', 'unknownEnum=true&$alt=json%3Benum-encoding%3Dint'];
  for (const query of targets) {
    const request = { method: 'GET', target: `${path}?${query}` };
    const [ours, theirs] = [await send(photongate, request), await send(showcase, request)];
    check(`GET ${path}?${query}`, common(ours.json), common(theirs.json));
    const fields = leaves(ours.json).map(([name, value]) => `${name}=${String(value)}`);
    const verified = await send(photongate, { method: 'POST', target: `${path}?${fields.join('&')}`, body: '' });
    check(`POST ${path}?${fields.join('&')}`, verified.status, 200);
  }
  return targets.length * 2;
}

/** What clients say for routing goes to the service, which sends it back. */
async function routingHeader(photongate: string): Promise<void> {
  const routing = { 'x-goog-request-params': 'table_name=projects%2Fp%2Finstances%2Fi&baz=%E2%98%BA' };
  const response = await fetch(`${photongate}/v1beta1/echo:echo`, {
    method: 'POST',
    headers: { ...routing, 'content-type': 'application/json' },
    body: '{"content":"a"}',
  });
  // Once as a header and once as a trailer, which a unary answer has as a header too.
  const [header] = response.headers.get('x-goog-request-params')?.split(', ') ?? [];
  check('x-goog-request-params', header, routing['x-goog-request-params']);
}

/** A server for each of the two, as they keep what is created. */
async function besideItself(photongate: string, showcase: string): Promise<number> {
  const names = { ours: '', theirs: '' };
  for (const [line, body] of lines) {
    const [method, target] = line.split(' ') as [string, string];
    const both = await Promise.all(
      (
        [
          ['ours', photongate],
          ['theirs', showcase],
        ] as const
      ).map(async ([whose, url]) => {
        const request = { method, target: target.replace('NAME', names[whose]), body };
        const answer = await send(url, request);
        const { name } = answer.json as { name?: string };
        if (method === 'POST' && typeof name === 'string') names[whose] = name;
        return answer;
      }),
    );
    const [ours, theirs] = both as [Answer, Answer];
    check(`${line} ${JSON.stringify(body) ?? ''}`, told(ours), told(theirs));
  }
  return lines.length;
}

/** Of an error the code, the message and the details. */
function told({ status, json }: Answer): Json {
  const { error } = json as { error?: JsonObject };
  if (status < 400 || error === undefined) return { status, json: settled(common(json)) };
  return {
    status,
    error: common({ code: error['code']!, message: error['message']!, details: error['details'] ?? [] }),
  };
}

async function main(): Promise<void> {
  const [first, second] = [await startShowcase(), await startShowcase()];
  let proxy: RunningProxy | undefined;
  try {
    proxy = await startProxy(
      loadConfig({
        flags: {
          reflection: true,
          upstreams: [`127.0.0.1:${first.port}`],
          rules: [join(moduleFolder, 'schema/google/showcase/v1beta1/showcase_v1beta1.yaml')],
          listen: ['127.0.0.1:0'],
          options: { preset: 'google' },
        },
      }),
    );
    const url = proxy.urls[0]!;
    const suite = await runSuite(url, first.url);
    const enums = await enumRoundTrip(url, first.url);
    await routingHeader(url);
    const compared = await besideItself(url, second.url);
    for (const failure of failures) console.error(failure);
    console.log(
      `showcase: ${suite} requests of the suite, ${enums + compared} calls beside its own REST server, ${failures.length} failed`,
    );
    process.exitCode = failures.length === 0 && suite >= 50 ? 0 : 1;
  } finally {
    await proxy?.drain();
    first.process.kill();
    second.process.kill();
  }
}

await main();
