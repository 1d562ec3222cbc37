/**
 * A thread that works on large messages: loads configuration and schema as its owner did, and runs single steps of the same
 * plans. It opens nothing and calls nobody.
 */
import { statSync } from 'node:fs';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Config, MountConfig } from '../config/index.js';
import type { MethodPlan } from '../exchange.js';
import { allParts, prepareProxy } from '../proxy/index.js';
import { diskFiles, type FileReader } from '../schema/index.js';
import { ConfigError, messageOf } from '../status.js';
import { quote } from '../uri.js';
import { asBuffer, type Order, packError, revivedMetadata, type ThreadInput, type Told } from './messages.js';

type PlanFinder = (key: string) => MethodPlan | undefined;

/** Smaller results are cheaper to copy than to move. */
const MOVED_BYTES = 64 * 1024;

function start(port: MessagePort, input: ThreadInput): void {
  const say = (told: Told, moved: readonly ArrayBuffer[] = []): void => port.postMessage(told, moved);
  try {
    const planOf = load(input);
    port.on('message', (order: Order) => {
      try {
        const told = run(planOf, order);
        say(told, movable(told.kind === 'request' ? told.message : told.reply.body));
      } catch (error) {
        say({ kind: 'error', error: packError(error) });
      }
    });
    say({ kind: 'ready' });
  } catch (error) {
    say({ kind: 'unusable', reason: error instanceof ConfigError ? error.message : messageOf(error) });
  }
}

/** @throws if the plans would not be those of the owner */
function load({ config, reflected, loadedAtMs }: ThreadInput): PlanFinder {
  const files = new SeenFiles();
  const { listeners } = prepareProxy(withPlansAlone(config), { offline: true, reflected, files });
  for (const path of files.found) {
    if (statSync(path).ctimeMs > loadedAtMs) throw new Error(`the file ${quote(path)} has changed since it was loaded`);
  }
  const parts = listeners.flatMap(allParts);
  return (key) => {
    for (const part of parts) {
      const plan = part.planOf(key);
      if (plan !== undefined) return plan;
    }
    return undefined;
  };
}

function run(planOf: PlanFinder, order: Order): Extract<Told, { kind: 'request' | 'reply' }> {
  const plan = planOf(order.plan);
  if (plan === undefined) throw new Error(`no plan ${order.plan}`);
  const unary = plan.openUnary(order.head, order.captures);
  if (order.kind === 'request') {
    const [first, ...rest] = order.body;
    const body = rest.length === 0 && first !== undefined ? asBuffer(first) : Buffer.concat(order.body);
    return { kind: 'request', message: unary.request(body) };
  }
  const { message, headers, trailers } = order;
  return {
    kind: 'reply',
    reply: unary.reply(asBuffer(message), revivedMetadata(headers), revivedMetadata(trailers)),
  };
}

/** What is written for one message is nobody else's, and so is what is left of the message that was read. */
function movable(bytes: Uint8Array | undefined): ArrayBuffer[] {
  return bytes === undefined || bytes.length < MOVED_BYTES ? [] : [bytes.buffer as ArrayBuffer];
}

/** Without what other requests than those with large messages need. */
function withPlansAlone(config: Config): Config {
  const off = { index: false, docs: false, openapi: false, asyncapi: false, mcp: false };
  const none = { jwt: undefined, apiKeys: undefined, rateLimits: undefined, idempotency: undefined };
  const bare = (mount: MountConfig): MountConfig => ({ ...mount, options: { ...mount.options, ...off, ...none } });
  return {
    ...config,
    listeners: config.listeners.map((listener) => ({
      ...listener,
      root: bare(listener.root),
      mounts: listener.mounts.map(bare),
      routes: listener.routes && {
        ...listener.routes,
        transcoders: listener.routes.transcoders.map(({ name, mount }) => ({ name, mount: bare(mount) })),
      },
    })),
  };
}

/** Remembers which files were there. */
class SeenFiles implements FileReader {
  readonly found = new Set<string>();

  read(path: string): Buffer | undefined {
    const bytes = diskFiles.read(path);
    if (bytes !== undefined) this.found.add(path);
    return bytes;
  }

  list(path: string): ReturnType<FileReader['list']> {
    return diskFiles.list(path);
  }
}

start(parentPort!, workerData as ThreadInput);
