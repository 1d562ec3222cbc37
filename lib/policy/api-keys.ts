/**
 * API keys: found in requests, and looked up in a file that is read again when it changes. A file that cannot be read then
 * changes nothing: the keys that were read before stay valid.
 */
import { FileChanges } from '../file-changes.js';
import { headerValues, type HeaderFields } from '../headers.js';
import { type Holder, Shared } from '../shared.js';
import { Code, ConfigError, messageOf, StatusError } from '../status.js';
import { type ApiKey, type ApiKeys, digestOf, readApiKeys } from './api-key-file.js';
import type { ApiKeyOptions } from './api-key-options.js';
import { missingClaim } from './claims.js';
import type { RequiredClaims } from './credential-options.js';
import { publishKeysRead } from './diagnostics.js';
import { parameterValues } from './query-parameter.js';

/** A file of keys, and how it is read. */
export interface ApiKeySource extends Pick<ApiKeyOptions, 'file' | 'maxKeys' | 'maxFileBytes'> {
  /** Undefined: there is no such file. */
  readonly read: (path: string) => Buffer | undefined;
}

/** The keys that are valid now. */
export interface KnownKeys {
  readonly keys: ApiKeys;
}

/** The files of keys of a proxy. Policies with the same file and limits share one. */
export class ApiKeyFiles {
  private readonly files = new Shared<ApiKeyFile>((file) => file.stop());

  get size(): number {
    return this.files.size;
  }

  /**
   * The keys of a file, watched from now on.
   * @param holder keeps it watched
   * @throws ConfigError as `readApiKeys`
   */
  of(source: ApiKeySource, holder: Holder): KnownKeys {
    const { file, maxKeys, maxFileBytes } = source;
    return this.files.hold(JSON.stringify([file, maxKeys, maxFileBytes]), holder, () => new ApiKeyFile(source));
  }

  close(): void {
    this.files.closeAll();
  }
}

class ApiKeyFile implements KnownKeys {
  keys: ApiKeys;
  private readonly changes: FileChanges;

  constructor(private readonly source: ApiKeySource) {
    this.changes = new FileChanges([source.file]);
    this.keys = readApiKeys(source, source.read);
    this.changes.start(() => this.renew());
  }

  stop(): void {
    this.changes.stop();
  }

  private renew(): void {
    const { file, read } = this.source;
    try {
      this.keys = readApiKeys(this.source, read);
      publishKeysRead({ file, outcome: 'renewed', keys: this.keys.size, problems: [] });
    } catch (error) {
      const problems =
        error instanceof ConfigError ? error.problems : [{ code: 'api-key-file', message: messageOf(error) }];
      publishKeysRead({ file, outcome: 'kept', keys: this.keys.size, problems });
    }
  }
}

/** The parts of a request that may hold a key. */
export interface KeyRequest {
  readonly headers: HeaderFields;
  /** Without `?`. */
  readonly query: string | undefined;
}

/** Checks keys for one `policies.api_keys`. */
export class KeyChecker {
  constructor(
    private readonly options: ApiKeyOptions,
    private readonly known: KnownKeys,
  ) {}

  /** True if a request has something that is meant as a key, good or not. */
  isSent(request: KeyRequest): boolean {
    return this.keysIn(request).length > 0;
  }

  /**
   * Finds and checks the key of a request.
   * @throws StatusError 401 if there is no valid key, 400 if there are several
   */
  check(request: KeyRequest): ApiKey {
    const { maxKeyBytes } = this.options;
    const [key, ...others] = this.keysIn(request);
    if (key === undefined) throw this.refusal(`this needs an API key; expected ${this.expected}`);
    if (others.length > 0) {
      throw new StatusError(Code.INVALID_ARGUMENT, 'the request has more than one API key; send one', {
        httpStatus: 400,
      });
    }
    if (key.length > maxKeyBytes) {
      throw this.refusal(
        `the API key is longer than the limit of ${maxKeyBytes} bytes (policies.api_keys.max_key_bytes)`,
      );
    }
    const found = this.known.keys.get(digestOf(key));
    if (found === undefined) throw this.refusal('the API key is not known, or no longer; ask for another');
    return found;
  }

  /**
   * Requires entries of a key.
   * @param what the name of the RPC, for the message
   * @throws StatusError 403
   */
  authorize({ entries }: ApiKey, required: RequiredClaims, what: string): void {
    const missing = missingClaim(entries, required, 'entry');
    if (missing === undefined) return;
    throw StatusError.http(403, `${what} needs an API key ${missing}`, { headers: [this.challenge] });
  }

  /** Where a key may stand, for messages. */
  get expected(): string {
    const { header, queryParameter } = this.options;
    const how = `the header "${header === 'authorization' ? 'Authorization: ApiKey' : `${header}:`} KEY"`;
    return queryParameter === undefined ? how : `${how}, or ?${queryParameter}=KEY`;
  }

  /** The header `www-authenticate`. */
  get challenge(): [string, string] {
    return ['www-authenticate', `ApiKey realm="${this.options.realm}"`];
  }

  private refusal(message: string): StatusError {
    return StatusError.http(401, message, { headers: [this.challenge] });
  }

  private keysIn({ headers, query }: KeyRequest): string[] {
    const { header, queryParameter } = this.options;
    const values = headerValues(headers, header).flatMap((value) => keyInHeader(header, value));
    return [...values, ...parameterValues(query, queryParameter)];
  }
}

/** True for a value of `authorization` that holds an API key, or is to hold one. */
export function isApiKey(value: string): boolean {
  return /^\s*apikey(?:\s|$)/i.test(value);
}

/** The scheme is case-insensitive. */
function keyInHeader(name: string, value: string): string[] {
  const key = name === 'authorization' ? (/^apikey +(.*)$/is.exec(value.trim())?.[1] ?? '') : value.trim();
  return key === '' ? [] : [key];
}
