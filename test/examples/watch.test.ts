/** ChainFire's watch over REST: with a client of ours, and with curl and a WebSocket as docs/streams.md shows it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { WebSocket } from 'ws';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { services } from '../../examples/photoncloud/services.js';
import { loadConfig, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { send } from '../support/proxy.js';
import { blocksOf, runShown, runShownScript, shownCommands } from '../support/shown.js';
import { streamRequest } from '../support/stream-client.js';

interface Event {
  readonly data: {
    readonly type: string;
    readonly item: { readonly key: string; readonly value: string; readonly mod_revision: string };
  };
  readonly meta: { readonly request_id: string };
}

void t.test('watch', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-watch-'));
  const database = Database.open(join(folder, 'photoncloud.db'));
  const running = await services[0]!.start({ host: '127.0.0.1', port: 0, database });
  const file = fileURLToPath(new URL('../../examples/photoncloud/photongate.yaml', import.meta.url));
  const config = loadConfig({ file, flags: { upstreams: [parseUpstream(`127.0.0.1:${running.port}`)] } });
  const proxy = await startProxy({
    ...config,
    listeners: config.listeners.slice(0, 1).map((listener) => ({ ...listener, port: 0 })),
  });
  t.teardown(async () => {
    await proxy.drain();
    await running.close();
    database.close();
    rmSync(folder, { recursive: true });
  });
  const url = proxy.urls[0]!;
  const port = Number(new URL(url).port);
  const put = async (key: string, value: string): Promise<void> => {
    const { status, text } = await send(url, `PUT /api/v1/kv/${key}`, { body: JSON.stringify({ value }) });
    t.equal(status, 200, text);
  };

  const page = readFileSync(new URL('../../docs/streams.md', import.meta.url), 'utf8');
  const address = url.replace('http://', '');
  const commands = shownCommands(page).filter(({ command }) => command.includes(':8081/'));
  t.equal(commands.length, 3);
  for (const command of commands) await runShown(t, command, '127.0.0.1:8081', address);

  const script = blocksOf(page, 'js')[0]!.replace('127.0.0.1:8081', address);
  const logged = await runShownScript(script, WebSocket, (frames) => frames.length > 0);
  t.match(logged, [{ data: { type: 'PUT', item: { key: 'greet/ada' } } }]);

  await put('greet/a', 'old');
  const target = '/api/v1/watch?prefix=greet/&start_revision=2';
  const lines = streamRequest(port, `GET ${target}`, { headers: { accept: 'application/x-ndjson' } });
  await lines.until('greet/a');
  await put('greet/b', 'new');
  await put('other', 'x');
  await lines.until('greet/b');
  const events = lines.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
  t.strictSame(
    events.map(({ data: { type, item } }) => `${type} ${item.key} ${item.value}`),
    ['PUT greet/a old', 'PUT greet/b new'],
  );
  t.match(events[0]!.meta.request_id, /^[0-9a-f-]{36}$/);
  lines.destroy();

  const [first] = events;
  const headers = { accept: 'text/event-stream', 'last-event-id': first!.data.item.mod_revision };
  const resumed = streamRequest(port, `GET ${target}`, { headers });
  await resumed.until('greet/b');
  t.notMatch(resumed.text, /greet\/a/, 'a client that connects again goes on behind its last event');
  resumed.destroy();

  const refused = await send(url, 'GET /api/v1/watch?start_revision=-1');
  t.equal(refused.status, 400, 'an early error has its own status');
  t.match(refused.json, { error: { code: 'INVALID_ARGUMENT' } });
});
