/**
 * Start-up of the command as it is: time from its start until it listens, to that of a bare node:http server, and the
 * memory that it has taken by then. The schema is generated: 50 services as large ones are, with comments. A folder
 * with google-proto-files is measured as well where `GOOGLE_PROTO_FILES` names it.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from './once.js';

export interface StartFigure {
  readonly name: string;
  /** Time until it listens, to that of a bare node:http server. */
  readonly ratio: number;
  readonly milliseconds: number;
  /** Resident, in 2^20 bytes, when it listens; undefined where the system does not say. */
  readonly megabytes: number | undefined;
}

const ROUNDS = once ? 1 : 3;
const command = fileURLToPath(new URL('../../bin/photongate', import.meta.url));
const bare =
  'require("node:http").createServer().listen(0, "127.0.0.1", () => console.log("listening on http://127.0.0.1"))';

/** Starts each in turn, some rounds, and gives medians. */
export async function benchStart(): Promise<StartFigure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-bench-'));
  try {
    const figures = [
      await measure('50 services, 1,000 methods, 3,050 messages', writeServices(join(folder, 'protos'))),
    ];
    const google = process.env['GOOGLE_PROTO_FILES'];
    if (google !== undefined) figures.push(await measure('google-proto-files', writeGoogleConfig(google, folder)));
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(name: string, flags: readonly string[]): Promise<StartFigure> {
  const rounds: { own: Started; bare: Started }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({
      bare: await start(['-e', bare]),
      own: await start([command, ...flags, '--upstream', '127.0.0.1:1', '--listen', '127.0.0.1:0']),
    });
  }
  const memory = median(rounds.map(({ own }) => own.megabytes ?? NaN));
  return {
    name,
    ratio: median(rounds.map(({ own, bare: other }) => own.milliseconds / other.milliseconds)),
    milliseconds: median(rounds.map(({ own }) => own.milliseconds)),
    megabytes: Number.isNaN(memory) ? undefined : memory,
  };
}

interface Started {
  readonly milliseconds: number;
  readonly megabytes: number | undefined;
}

function start(args: readonly string[]): Promise<Started> {
  const begin = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)));
  return new Promise((resolve, reject) => {
    child.on('exit', () => reject(new Error(`ended before it listened: ${errors}`)));
    child.stdout.once('data', () => {
      const milliseconds = performance.now() - begin;
      const megabytes = residentMegabytes(child.pid!);
      child.removeAllListeners('exit').once('exit', () => resolve({ milliseconds, megabytes }));
      child.kill();
    });
  });
}

function residentMegabytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1024);
  } catch {
    return undefined;
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

function writeServices(folder: string): string[] {
  mkdirSync(folder);
  for (let service = 0; service < 50; service++) {
    writeFileSync(join(folder, `service${service}.proto`), serviceProto(service));
  }
  return ['--proto', folder];
}

const comment = (words: string): string =>
  `// ${words}: what it is for, and when one would rather not set it.\n`.repeat(3);

function serviceProto(service: number): string {
  const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
  const methods = range(10).flatMap((index) => [
    `${comment('Gets')}rpc Get${index}(Request${index}) returns (Message${index}) { option (google.api.http) = { get: "/v1/service${service}/{name=projects/*/kind${index}/*}" additional_bindings { get: "/v1/service${service}/{name=folders/*/kind${index}/*}" } }; }`,
    `${comment('Sets')}rpc Set${index}(Request${index}) returns (Message${index}) { option (google.api.http) = { patch: "/v1/service${service}/{name=projects/*/kind${index}/*}" body: "message" }; }`,
  ]);
  const requests = range(10).map(
    (index) =>
      `${comment('A request')}message Request${index} { ${comment('Name')}string name = 1; Message${index} message = 2; int32 page_size = 3 [deprecated = true]; string page_token = 4; }`,
  );
  const messages = range(51).map((index) => {
    const fields = range(10).map((field) => `${comment('A field')}string field_${field} = ${field + 1};\n`);
    return `${comment('A message')}message Message${index} {\n${fields.join('')} map<string, string> labels = 11; Message${(index + 1) % 51} next = 12; }`;
  });
  return [
    'syntax = "proto3";',
    `package bench.service${service}.v1;`,
    'import "google/api/annotations.proto";',
    `service Service${service} {\n${methods.join('\n')}\n}`,
    ...requests,
    ...messages,
  ].join('\n');
}

/** All its files that have rules; names clash between versions of one API, so the first rule counts. */
function writeGoogleConfig(root: string, folder: string): string[] {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.proto') && !name.includes('node_modules'))
    .map((name) => join(root, name))
    .filter((path) => readFileSync(path, 'utf8').includes('(google.api.http)'))
    .sort();
  const config = join(folder, 'google.yaml');
  writeFileSync(config, JSON.stringify({ proto: files, proto_path: [root], on_duplicate: 'first' }));
  return ['--config', config];
}
