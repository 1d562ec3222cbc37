/** ChainFire's watch over REST: with a client of ours and with curl, as docs/streams.md shows it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Database } from '../../examples/photoncloud/lib/database.js';
import { services } from '../../examples/photoncloud/services.js';
import { loadConfig, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { send } from '../support/proxy.js';
import { streamRequest, waitFor } from '../support/stream-client.js';

interface Event {
  readonly data: { readonly type: string; readonly item: { readonly key: string; readonly value: string } };
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

  await put('greet/a', 'old');
  const target = '/api/v1/watch?prefix=greet/&start_revision=1';
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

  const curl = spawn('curl', ['-sN', '-H', 'Accept: text/event-stream', `${url}${target}`]);
  let shown = '';
  curl.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  await waitFor(
    () => shown.includes('greet/b'),
    () => `an event in ${shown}`,
  );
  await put('greet/c', 'live');
  await waitFor(
    () => shown.includes('greet/c'),
    () => `an event in ${shown}`,
  );
  t.match(shown, /^data: \{"data":\{/);
  curl.kill();

  const refused = await send(url, 'GET /api/v1/watch?start_revision=-1');
  t.equal(refused.status, 400, 'an early error has its own status');
  t.match(refused.json, { error: { code: 'INVALID_ARGUMENT' } });
});
