/**
 * `npm start`: PhotonCloud's reference services, each a gRPC server of its own, and photongate in front of them.
 *
 *   npm start -- [--host ADDRESS] [--data-dir FOLDER] [--database URL] [--free-ports] [--seed] [--auth]
 */
import { parseArgs } from 'node:util';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { ConfigError } from '../../lib/index.js';
import { type NewAdmin, type PhotonCloud, startCloud } from './cloud.js';
import { seed } from './seed.js';

const usage = `usage: npm start -- [--host ADDRESS] [--data-dir FOLDER] [--database URL] [--free-ports] [--seed] [--auth]

  --host ADDRESS     where the REST APIs listen; 0.0.0.0 for other machines  [default: 127.0.0.1]
  --data-dir FOLDER  where the services keep their data  [default: data]
  --database URL     a libSQL server (libsql://host, http://host:port) instead of a file there, for all but FlareDB's
                     SQL and the bytes of objects; its token is taken from LIBSQL_AUTH_TOKEN
  --free-ports       listen on any free ports, which the table shows, where the usual ones are taken
  --seed             put sample data into each service, where it is not there yet
  --auth             calls need a token of IAM's; the first start creates the user admin and prints its password,
                     or takes it from PHOTONCLOUD_ADMIN_PASSWORD
`;

interface Settings {
  readonly host: string;
  readonly dataDir: string;
  readonly database: { readonly url: string; readonly authToken: string | undefined } | undefined;
  readonly freePorts: boolean;
  readonly seed: boolean;
  readonly auth: boolean;
}

/** Undefined where only the usage was asked for. */
function settingsOf(args: string[]): Settings | undefined {
  const { values } = parseArgs({
    args,
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      'data-dir': { type: 'string', default: 'data' },
      database: { type: 'string' },
      'free-ports': { type: 'boolean', default: false },
      seed: { type: 'boolean', default: false },
      auth: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { host, database: url, seed, auth } = values;
  const database = url === undefined ? undefined : { url, authToken: process.env['LIBSQL_AUTH_TOKEN'] };
  return { host, dataDir: values['data-dir'], database, freePorts: values['free-ports'], seed, auth };
}

/** A table of the services, then where to look. */
function announcement(
  { services, url }: PhotonCloud,
  { dataDir, database }: Settings,
  login: string | undefined,
): string {
  const rows = [
    ['SERVICE', 'REST', 'gRPC', `BELOW ${url}`],
    ...services.map(({ name, url, grpcPort }) => [name, url, `127.0.0.1:${grpcPort}`, `/${name}`]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd());
  const chainfire = services[0]!.url;
  const token = login === undefined ? '' : ' -H "Authorization: Bearer $TOKEN"';
  const where = database === undefined ? dataDir : `${dataDir} and ${new URL(database.url).host}`;
  return `PhotonCloud is up, its data in ${where}.

${table.join('\n')}

Each URL has /docs (to try calls in a browser), /openapi.json, /health, and a list of its routes at /. Try:

  curl ${url}/${login === undefined ? '' : `\n  ${login}`}
  curl -X PUT ${chainfire}/api/v1/kv/greeting -d '{"value":"hello"}'${token}
  curl ${chainfire}/api/v1/kv/greeting${token}

Ctrl-C stops everything.`;
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      process.on('SIGINT', () => process.exit(130));
      resolve();
    };
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
  });
}

function knownAdmin(password: string | undefined): NewAdmin | undefined {
  return password === undefined ? undefined : { username: 'admin', password };
}

/** Answers with the bare token. */
function tokenUrl({ services }: PhotonCloud): string {
  return `${services.find(({ name }) => name === 'iam')!.url}/api/v1/auth/token?fields=token&alt=text`;
}

/** What a newcomer types first; the password is not shown again. */
function loginLine(cloud: PhotonCloud): string {
  const body = `'{"username":"admin","password":"'"$PASSWORD"'"}'`;
  return `TOKEN=$(curl -fsS '${tokenUrl(cloud)}' -d ${body})`;
}

/** A token for the sample data. */
async function tokenOf(cloud: PhotonCloud, admin: NewAdmin | undefined): Promise<string> {
  if (admin === undefined) {
    throw new Error('--seed needs the password of the administrator; give it by PHOTONCLOUD_ADMIN_PASSWORD');
  }
  const response = await fetch(tokenUrl(cloud), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(admin),
  });
  if (!response.ok) throw new Error(`the administrator gets no token: ${await response.text()}`);
  return response.text();
}

async function main(): Promise<void> {
  // What it would print stands in the errors that it throws, too.
  setLogVerbosity(logVerbosity.NONE);
  const settings = settingsOf(process.argv.slice(2));
  if (settings === undefined) {
    console.log(usage);
    return;
  }
  const stopped = stopSignal();
  const adminPassword = process.env['PHOTONCLOUD_ADMIN_PASSWORD'];
  const cloud = await startCloud({ ...settings, auth: settings.auth ? { adminPassword } : undefined });
  try {
    const admin = settings.auth ? (cloud.admin ?? knownAdmin(adminPassword)) : undefined;
    if (cloud.admin !== undefined && adminPassword === undefined) {
      console.log(`The administrator is "admin", the password, shown this once: ${cloud.admin.password}\n`);
    }
    if (settings.seed) {
      const token = settings.auth ? await tokenOf(cloud, admin) : undefined;
      console.log(`Sample data: ${await seed(cloud.services, token)}\n`);
    }
    console.log(announcement(cloud, settings, settings.auth ? loginLine(cloud) : undefined));
    await stopped;
  } finally {
    await cloud.close();
  }
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError) {
    for (const { message, hint } of error.problems) {
      console.error(`photongate: ${message}${hint === undefined ? '' : `\n  ${hint}`}`);
    }
  } else {
    const aboutUsage = (error as { code?: unknown }).code?.toString().startsWith('ERR_PARSE_ARGS') === true;
    console.error(error instanceof Error ? `npm start: ${error.message}${aboutUsage ? `\n\n${usage}` : ''}` : error);
  }
  process.exitCode = 1;
});
