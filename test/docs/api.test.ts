/**
 * docs/api: the blocks of a page, pasted into one shell from top to bottom, print what the page says: on a fresh start,
 * on one with sample data, again and in another order. Each call of the services has its curl line.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type CloudOptions, type PhotonCloud, startCloud } from '../../examples/photoncloud/cloud.js';
import { seed } from '../../examples/photoncloud/seed.js';
import { services } from '../../examples/photoncloud/services.js';
import { Code, codeName, codeOfHttpStatus, httpStatusOf } from '../../lib/status.js';
import {
  onPath,
  type Page,
  pastePage,
  patternOf,
  readPages,
  rpcsCalledBy,
  rules,
  servicePage,
  shells,
  withCalls,
} from './api-pages.js';

const all = readPages();
const guarded = (page: Page): boolean => page.file.endsWith('/with-tokens.md');
const open = all.filter((page) => !guarded(page) && page.blocks.length > 0);

/** Pastes pages, one after the other, each into another shell; `first` is where to begin with the shells. */
async function pasteAll(t: Test, pages: readonly Page[], cloud: PhotonCloud, first: number): Promise<void> {
  for (const [index, page] of pages.entries()) {
    const shell = shells[(first + index) % shells.length]!;
    const printed = await pastePage(page, cloud, shell, folder);
    for (const [index, { line, command, output }] of page.blocks.entries()) {
      const actual = printed[index];
      const same = actual !== undefined && patternOf(expectedOf(output)).test(actual);
      // Where the two differ, the difference is to be seen.
      t.equal(same ? output : actual, output, `${shell.join(' ')}: ${page.file}:${line}\n${command}`);
    }
  }
}

/** GNU's wget is silent with -q. */
function expectedOf(output: string): string {
  return onPath('busybox') ? output : output.replaceAll(/^wget: .*\n/gm, '');
}

const folder = mkdtempSync(join(tmpdir(), 'photongate-api-'));
t.teardown(() => rmSync(folder, { recursive: true }));

async function start(t: Test, options: Partial<CloudOptions> = {}): Promise<PhotonCloud> {
  const dataDir = mkdtempSync(join(folder, 'data-'));
  const cloud = await startCloud({ host: '127.0.0.1', dataDir, freePorts: true, ...options });
  t.teardown(() => cloud.close());
  return cloud;
}

void t.test('pasted after a fresh start, and again with sample data in another order', async (t) => {
  const paste = async (pages: readonly Page[], first: number): Promise<void> => {
    const cloud = await start(t);
    await pasteAll(t, pages, cloud, first);
    await nothingIsLeft(t, cloud);
    await seed(cloud.services);
    await pasteAll(t, [...pages].reverse(), cloud, first + pages.length);
  };
  // Most of the time is waiting.
  const half = Math.ceil(open.length / 2);
  await Promise.all([paste(open.slice(0, half), 0), paste(open.slice(half), half)]);
});

void t.test('pasted with tokens, twice', async (t) => {
  const cloud = await start(t, { auth: { adminPassword: 'let-me-in' } });
  const pages = all.filter(guarded);
  await pasteAll(t, [...pages, ...pages], cloud, 0);
});

/** Lists that have to be empty again. Wallets, reservations, rollouts and series cannot be deleted. */
const lists = {
  chainfire: ['kv'],
  flaredb: ['tables?namespace=library', 'scan?namespace=library'],
  iam: ['users', 'projects'],
  plasmavmc: ['vms'],
  k8shost: ['pods', 'services'],
  prismnet: ['vpcs', 'subnets'],
  lightningstor: ['buckets'],
  fiberlb: ['loadbalancers', 'listeners', 'pools', 'healthchecks', 'l7policies', 'certificates'],
  deployer: ['machines'],
};

async function nothingIsLeft(t: Test, cloud: PhotonCloud): Promise<void> {
  for (const [name, resources] of Object.entries(lists)) {
    const { url } = cloud.services.find((service) => service.name === name)!;
    for (const resource of resources) {
      const { data } = (await (await fetch(`${url}/api/v1/${resource}`)).json()) as { data: Record<string, unknown[]> };
      t.same(Object.values(data)[0], [], `${name}: ${resource}`);
    }
  }
}

void t.test('blocks are safe to paste', (t) => {
  for (const { file, blocks } of all) {
    for (const { line, command } of blocks) {
      const where = `${file}:${line}`;
      const text = command.replaceAll('\\\n', ' ');
      t.notMatch(command, /!/, `${where}: an interactive bash expands !`);
      t.notMatch(text, /(?<!['"])https?:[^\s'"]*\?/, `${where}: zsh expands ? outside quotes`);
      for (const [piped] of text.matchAll(/\$\(curl [^\n]*|^curl [^\n]*[^"] [|>] [^\n]*/gm)) {
        t.match(piped, /curl -\w*s/, `${where}: curl shows its progress when its output goes elsewhere`);
      }
    }
  }
  t.end();
});

void t.test('each call has a line', (t) => {
  const called = new Set(all.flatMap((page) => [...rpcsCalledBy(page)]));
  const rpcs = [...rules.values()].flat().map(([binding]) => binding!.method);
  for (const service of services) {
    const { text } = all.find(({ file }) => file === servicePage(service))!;
    t.equal(withCalls(text, service), text, `${servicePage(service)} (npm run docs)`);
  }
  t.same(
    rpcs.map(({ fullName }) => fullName).filter((name) => !called.has(name)),
    [],
    'no RPC without a curl line',
  );
  const names = rpcs.map(({ service, name }) => `${service.fullName}/${name}`);
  for (const { file, text } of all) {
    for (const [, name] of text.matchAll(/127\.0\.0\.1:500\d\d (\S+)/g))
      t.ok(names.includes(name!), `${file}: ${name}`);
  }
  t.end();
});

void t.test('error codes', (t) => {
  const { text } = all.find(({ file }) => file.endsWith('/error-codes.md'))!;
  const rows = [...text.matchAll(/^\| (\d+) \| `(\w+)` \| (\d*)/gm)].map(([, first, name, last]) => [
    first!,
    name!,
    last!,
  ]);
  const codes = Object.values(Code).filter((code) => typeof code === 'number' && code !== Code.OK);
  t.same(
    rows.filter(([, , status]) => status !== ''),
    codes.map((code) => [String(code), codeName(code), String(httpStatusOf(code))]),
  );
  const own = rows.filter(([, , status]) => status === '');
  t.ok(own.length > 5);
  for (const [status, name] of own) t.equal(name, codeName(codeOfHttpStatus(Number(status))), status!);
  t.end();
});
