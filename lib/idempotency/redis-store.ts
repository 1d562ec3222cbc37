/** Records in Redis, for several processes and machines. Each step is one script, so that two requests cannot both be first. */
import { readFile } from 'node:fs/promises';
import { redisClient, type RedisClient } from '../packages.js';
import { ConfigError, messageOf } from '../status.js';
import type { RedisSettings } from './options.js';
import { type IdempotencyStore, StoreError } from './store.js';

const PUT = `
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`;

const REPLACE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1`;

/** How long it waits at most before it connects again. */
const MAX_RECONNECT_MS = 2000;

/** A store on one Redis server, or on what speaks its protocol: Valkey, KeyDB. */
export class RedisStore implements IdempotencyStore {
  private readonly client: RedisClient;

  /** @throws ConfigError if the package is not installed */
  constructor(private readonly settings: RedisSettings) {
    const { url, passwordFile, timeoutMs } = settings;
    const open = redisClient();
    if (open === undefined) {
      throw new ConfigError({
        code: 'redis-package',
        message: 'policies.idempotency.redis needs the package @redis/client, which is not installed',
        hint: 'npm install @redis/client',
      });
    }
    this.client = open({
      url,
      // What cannot be sent now is an error now.
      disableOfflineQueue: true,
      socket: {
        connectTimeout: timeoutMs,
        reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, MAX_RECONNECT_MS),
      },
      ...(passwordFile !== undefined && { credentialsProvider: credentialsIn(passwordFile, url) }),
    });
    // Commands report what fails; without a listener the process would end.
    this.client.on('error', () => undefined);
    this.client.connect().catch(() => undefined);
  }

  async putIfAbsent(key: string, record: string, ttlMs: number): Promise<string | undefined> {
    const found = await this.run(PUT, key, [record, String(ttlMs)]);
    return typeof found === 'string' ? found : undefined;
  }

  async replace(key: string, old: string, record: string | undefined, ttlMs: number): Promise<boolean> {
    return (await this.run(REPLACE, key, [old, record ?? '', String(ttlMs)])) === 1;
  }

  close(): void {
    this.client.destroy();
  }

  /** @throws StoreError */
  private async run(script: string, key: string, args: readonly string[]): Promise<unknown> {
    const { prefix, timeoutMs } = this.settings;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      const answer = this.client.eval(script, { keys: [prefix + key], arguments: [...args] });
      answer.catch(() => undefined);
      return await Promise.race([answer, late]);
    } catch (error) {
      throw new StoreError(`Redis: ${messageOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The password as it is in the file now. */
function credentialsIn(passwordFile: string, url: string) {
  const username = decodeURIComponent(new URL(url).username);
  return {
    type: 'async-credentials-provider' as const,
    credentials: async () => ({
      ...(username !== '' && { username }),
      password: (await readFile(passwordFile, 'utf8')).trim(),
    }),
  };
}
