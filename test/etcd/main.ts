/**
 * A real etcd (Debian's packages etcd-server and golang-etcd-server-dev) behind photongate: each request goes to etcd's own
 * gateway and to photongate in front of the same server, and the answers must be equal field by field.
 *
 *   node --import tsx test/etcd/main.ts
 */
import { deepStrictEqual } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { prepareProxy } from '../../lib/proxy/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { followDocument } from '../support/openapi.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const configFile = fileURLToPath(new URL('../../examples/etcd/photongate.yaml', import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Etcd {
  readonly target: string;
  readonly process: ChildProcess;
}

async function startEtcd(folder: string): Promise<Etcd> {
  const target = `127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const process = spawn(
    'etcd',
    [
      ...['--data-dir', folder, '--log-level', 'error'],
      ...['--listen-client-urls', `http://${target}`, '--advertise-client-urls', `http://${target}`],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `default=${peer}`],
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  for (let tries = 0; tries < 100; tries++) {
    const healthy = await fetch(`http://${target}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) return { target, process };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  process.kill();
  throw new Error('etcd did not become healthy within 10 s');
}

async function post(url: string, path: string, body: Json): Promise<{ status: number; json: Json }> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as Json };
}

/** What differs by nature between two calls of the same request: revisions and times go on, ids are new each time. */
const moving =
  /^(version|revision|create_revision|mod_revision|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse|ID|TTL|hash)$/;

function settled(value: Json): Json {
  if (Array.isArray(value)) return value.map(settled);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      moving.test(name) && typeof inner === 'string' ? 'moving' : settled(inner),
    ]),
  );
}

const key = base64('app/config');
const unary: readonly (readonly [path: string, body: Json])[] = [
  ['/v3/kv/put', { key, value: base64('two'), prev_kv: true }],
  ['/v3/kv/range', { key }],
  ['/v3/kv/range', { key: base64('app/'), range_end: base64('app0'), limit: '10', sort_order: 'DESCEND' }],
  ['/v3/kv/range', { key: base64('none') }],
  ['/v3/kv/range', { key, count_only: true }],
  [
    '/v3/kv/txn',
    {
      compare: [{ key, target: 'VALUE', result: 'EQUAL', value: base64('two') }],
      success: [{ request_range: { key } }],
      failure: [{ request_put: { key, value: base64('three') } }],
    },
  ],
  [
    '/v3/kv/txn',
    {
      compare: [{ key, target: 'VERSION', result: 'GREATER', version: '1000' }],
      success: [{ request_range: { key } }],
      failure: [{ request_range: { key, keys_only: true } }],
    },
  ],
  ['/v3/kv/deleterange', { key: base64('none') }],
  ['/v3/lease/grant', { TTL: '100' }],
  ['/v3/lease/leases', {}],
  ['/v3/cluster/member/list', {}],
  ['/v3/maintenance/status', {}],
  ['/v3/maintenance/alarm', {}],
  ['/v3/auth/user/list', {}],
];

/** Errors have another shape there; status, code and message are the same. */
const failing: readonly (readonly [path: string, body: Json])[] = [
  ['/v3/kv/put', { value: base64('without a key') }],
  ['/v3/kv/compaction', { revision: '999999' }],
  ['/v3/lease/revoke', { ID: '12345' }],
  ['/v3/auth/user/get', { name: 'nobody' }],
];

async function compareUnary(gateway: string, photongate: string): Promise<number> {
  // One round before the comparison, so that both see keys that exist already.
  for (const [path, body] of unary) await post(gateway, path, body);
  for (const [path, body] of unary) {
    const theirs = await post(gateway, path, body);
    const ours = await post(photongate, path, body);
    deepStrictEqual(
      { status: ours.status, json: settled(ours.json) },
      { status: theirs.status, json: settled(theirs.json) },
      `POST ${path} ${JSON.stringify(body)}`,
    );
  }
  for (const [path, body] of failing) {
    const theirs = await post(gateway, path, body);
    const ours = await post(photongate, path, body);
    const parts = ({ json }: { json: Json }): Json => {
      const { code, message } = json as { code: Json; message: Json };
      return { code, message };
    };
    deepStrictEqual(parts(ours), parts(theirs), `POST ${path} ${JSON.stringify(body)}`);
  }
  return unary.length + failing.length;
}

/** The first lines of a watch, while keys are written. */
async function watchLines(url: string, gateway: string, count: number): Promise<Json[]> {
  const abort = new AbortController();
  const response = await fetch(`${url}/v3/watch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ create_request: { key: base64('w/'), range_end: base64('w0'), prev_kv: true } }),
    signal: abort.signal,
  });
  const lines: Json[] = [];
  const decoder = new TextDecoder();
  let text = '';
  let written = false;
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const complete = text.split('\n');
    text = complete.pop()!;
    for (const line of complete) if (line !== '') lines.push(JSON.parse(line) as Json);
    if (lines.length >= count) break;
    if (lines.length > 0 && !written) {
      written = true;
      await post(gateway, '/v3/kv/put', { key: base64('w/1'), value: base64('a') });
      await post(gateway, '/v3/kv/put', { key: base64('w/1'), value: base64('b') });
      await post(gateway, '/v3/kv/deleterange', { key: base64('w/1') });
    }
  }
  abort.abort();
  return lines;
}

async function compareWatch(gateway: string, photongate: string): Promise<void> {
  const steady = (lines: Json[]): string => JSON.stringify(settled(lines));
  const theirs = await watchLines(gateway, gateway, 4);
  const ours = await watchLines(photongate, gateway, 4);
  deepStrictEqual(steady(ours), steady(theirs), 'POST /v3/watch');
}

/** What etcd's protos are documented to take is taken. */
async function followDocuments(): Promise<void> {
  const [listener] = prepareProxy(loadConfig({ file: configFile, flags: {} }), { offline: true }).listeners;
  const { examples, requests, faults } = await followDocument(listener!.handler);
  deepStrictEqual(faults, [], 'the OpenAPI document');
  console.log(`etcd: ${examples} examples and ${requests} requests of its OpenAPI document are taken`);
}

async function main(): Promise<void> {
  await followDocuments();
  const folder = mkdtempSync(join(tmpdir(), 'photongate-etcd-'));
  const etcd = await startEtcd(join(folder, 'data'));
  let proxy: RunningProxy | undefined;
  try {
    const flags = { upstreams: [parseUpstream(etcd.target)], listen: ['127.0.0.1:0'] };
    proxy = await startProxy(loadConfig({ file: configFile, flags }));
    const gateway = `http://${etcd.target}`;
    const count = await compareUnary(gateway, proxy.urls[0]!);
    await compareWatch(gateway, proxy.urls[0]!);
    console.log(`etcd: ${count} requests and a watch answered as by etcd's own gateway`);
  } finally {
    await proxy?.drain();
    etcd.process.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
