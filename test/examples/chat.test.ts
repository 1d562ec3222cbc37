/** examples/chat: every line of its README, with real curl and a WebSocket client, against its server and configuration. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { WebSocket } from 'ws';
import { startChat } from '../../examples/chat/server.js';
import { loadConfig, startProxy } from '../../lib/index.js';
import { parseUpstream } from '../../lib/upstream/index.js';
import { blocksOf, runShown, runShownScript, shownCommands } from '../support/shown.js';

const folder = new URL('../../examples/chat/', import.meta.url);
const page = readFileSync(new URL('README.md', folder), 'utf8');

void t.test('what the README shows', async (t) => {
  const chat = await startChat(0);
  t.teardown(() => chat.close());
  const config = loadConfig({
    file: fileURLToPath(new URL('photongate.yaml', folder)),
    flags: { upstreams: [parseUpstream(`127.0.0.1:${chat.port}`)], listen: ['127.0.0.1:0'] },
  });
  const proxy = await startProxy(config);
  t.teardown(() => proxy.drain());
  const address = proxy.urls[0]!.replace('http://', '');
  const commands = shownCommands(page);
  t.ok(commands.length >= 7);
  for (const command of commands) await runShown(t, command, '127.0.0.1:8080', address);

  const [script] = blocksOf(page, 'js');
  const logged = await runShownScript(script!.replace('127.0.0.1:8080', address), WebSocket, (lines) =>
    lines.some((line) => typeof line === 'number'),
  );
  t.strictSame(logged, ['{"text":"ada is here"}', '{"name":"ada","text":"hello"}', 1000]);
});
