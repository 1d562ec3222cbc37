/**
 * `policies: { jwt: … }` of a file, or `jwt` of a program: plain values → complete `JwtOptions`, each complaint with the path
 * of what it is about. In the one the names are snake_case, in the other camelCase; what they take is the same.
 */
import { isAbsolute, resolve } from 'node:path';
import { connectionHeaders, isHeaderName } from '../headers.js';
import {
  type ClaimRule,
  defaultJwtOptions,
  defaultProviderOptions,
  type JsonWebKeySet,
  type JwtAlgorithm,
  jwtAlgorithms,
  type JwtOptions,
  type JwtProvider,
  type KeySource,
  KeysUnavailable,
  readKeySet,
  type RpcSelector,
} from '../policy/index.js';
import { nearestName, type SourcePlace } from '../status.js';
import { quote } from '../uri.js';
import type { Writable } from './config.js';
import {
  booleanValue,
  choicesValue,
  OptionError,
  type RawValue,
  sizeValue,
  textValue,
  timeValue,
  type ValueKind,
} from './values.js';

/** A step into a map or a list. */
export type Step = string | number;

/** Where values came from: who hears of mistakes, and where they stand. */
export interface JwtSource {
  error(path: readonly Step[], code: string, message: string): void;
  placeOf(path: readonly Step[]): SourcePlace | undefined;
  /** Base of relative paths. */
  readonly folder: string;
}

export type RawMap = Readonly<Record<string, RawValue>>;

const leewayTime: ValueKind<number> = {
  ...timeValue,
  read(raw) {
    if (raw === '0s') return 0;
    try {
      return timeValue.read(raw);
    } catch (error) {
      throw new OptionError((error as Error).message.replace('expected', 'expected 0s or'));
    }
  },
};

const size = sizeValue(1, 1024 ** 2);
export const algorithmList = choicesValue(...jwtAlgorithms);

/** Keys with one value, by name. */
export const providerValues = {
  leeway: ['leewayMs', leewayTime],
  jwks_cache: ['jwksCacheMs', timeValue],
  jwks_cooldown: ['jwksCooldownMs', timeValue],
  jwks_timeout: ['jwksTimeoutMs', timeValue],
  max_jwks_bytes: ['maxJwksBytes', size],
} as const satisfies Record<string, readonly [keyof JwtProvider, ValueKind<number>]>;

export const policyValues = {
  forward_token: ['forwardToken', booleanValue],
  protect_pages: ['protectPages', booleanValue],
  protect_fallback: ['protectFallback', booleanValue],
  max_token_bytes: ['maxTokenBytes', size],
} as const satisfies Record<string, readonly [keyof JwtOptions, ValueKind<unknown>]>;

const whoKeys = ['issuer', 'jwks'];
const sharedKeys = ['audiences', 'algorithms', ...Object.keys(providerValues)];
const providerKeys = [...whoKeys, ...sharedKeys];
const policyKeys = [
  'providers',
  ...providerKeys,
  'header',
  'query_parameter',
  'except',
  'require',
  'forward_claims',
  'realm',
  ...Object.keys(policyValues),
];

/** What the like of a key is called elsewhere. */
const otherNames: Readonly<Record<string, string>> = {
  audience: 'audiences',
  aud: 'audiences',
  iss: 'issuer',
  jwks_uri: 'jwks',
  jwks_url: 'jwks',
  remote_jwks: 'jwks',
  local_jwks: 'jwks',
  clock_skew: 'leeway',
  clock_skew_seconds: 'leeway',
  cache_duration: 'jwks_cache',
  claim_to_headers: 'forward_claims',
  forward: 'forward_token',
  from_headers: 'header',
  from_params: 'query_parameter',
  roles: 'require',
  rules: 'require',
  bypass: 'except',
};

/** Undefined where it is not even a map. */
export function readJwt(raw: RawValue, source: JwtSource): JwtOptions | undefined {
  return new JwtReader(source).policy(raw);
}

class JwtReader {
  constructor(private readonly source: JwtSource) {}

  policy(raw: RawValue): JwtOptions | undefined {
    const map = this.map(raw, [], '"jwt" is false or a map such as { jwks: https://idp.example.com/jwks.json }');
    if (map === undefined) return undefined;
    this.checkKeys(map, [], policyKeys, '"jwt"');
    const options: Writable<JwtOptions> = { ...defaultJwtOptions, providers: this.providers(map) };
    if (map['header'] !== undefined) options.header = this.header(map['header']);
    if (map['query_parameter'] !== undefined) options.queryParameter = this.parameter(map['query_parameter']);
    if (map['except'] !== undefined) options.except = this.except(map['except']);
    if (map['require'] !== undefined) options.require = this.require(map['require']);
    if (map['forward_claims'] !== undefined) options.forwardClaims = this.forwardClaims(map['forward_claims']);
    if (map['realm'] !== undefined) options.realm = this.realm(map['realm']);
    this.checkOverlap(options);
    return { ...options, ...this.values(map, policyValues) };
  }

  // ---- providers

  /** Those of `providers`, or the one that stands right here. */
  private providers(map: RawMap): JwtProvider[] {
    const given = map['providers'];
    if (given === undefined) return this.provider('default', map, [], {});
    for (const key of whoKeys) {
      if (map[key] === undefined) continue;
      this.error([key], 'config-conflict', `"${key}" stands beside "providers"; write it into one of them`);
    }
    const providers = this.map(given, ['providers'], '"providers" is a map of names, each with a "jwks"');
    if (providers === undefined) return [];
    if (Object.keys(providers).length === 0) this.error(['providers'], 'config-type', '"providers" names nobody');
    const read = Object.entries(providers).flatMap(([name, value]) => {
      const path = ['providers', name];
      const inner = this.map(value, path, `the provider ${name} is a map such as { issuer: NAME, jwks: URL }`);
      if (inner === undefined) return [];
      this.checkKeys(inner, path, providerKeys, 'a provider');
      return this.provider(name, inner, path, map);
    });
    this.checkIssuers(read);
    return read;
  }

  /** @param outer what holds where the provider says nothing of it. */
  private provider(name: string, map: RawMap, path: readonly Step[], outer: RawMap): JwtProvider[] {
    const jwks = this.jwks(map['jwks'], path);
    if (jwks === undefined) return [];
    const shared = Object.fromEntries(
      sharedKeys.flatMap((key) => {
        const [value, at] = map[key] === undefined ? [outer[key], []] : [map[key], path];
        return value === undefined ? [] : [[key, { value, at }] as const];
      }),
    );
    const provider: Writable<JwtProvider> = { name, ...defaultProviderOptions, jwks };
    if (map['issuer'] !== undefined) provider.issuer = this.text(map['issuer'], [...path, 'issuer'], 'what "iss" is');
    for (const [key, { value, at }] of Object.entries(shared)) {
      const where = [...at, key];
      if (key === 'audiences') provider.audiences = this.texts(value, where, 'an audience, one of which "aud" names');
      else if (key === 'algorithms') provider.algorithms = this.algorithms(value, where);
      else Object.assign(provider, this.values({ [key]: value }, providerValues, at));
    }
    return [provider];
  }

  /** A token has to tell whose it is. */
  private checkIssuers(providers: readonly JwtProvider[]): void {
    const seen = new Map<string, string>();
    for (const { name, issuer } of providers.length > 1 ? providers : []) {
      const other = issuer === undefined ? undefined : seen.get(issuer);
      if (issuer === undefined || other !== undefined) {
        const what = issuer === undefined ? 'has no "issuer"' : `has the issuer of ${other!}`;
        const message = `the provider ${name} ${what}; of several, each needs one of its own, by which tokens name it`;
        this.error(['providers', name], 'config-conflict', message);
      } else seen.set(issuer, name);
    }
  }

  private jwks(raw: RawValue | undefined, path: readonly Step[]): KeySource | undefined {
    const where = [...path, 'jwks'];
    const expected =
      'the http:// or https:// URL of a JSON Web Key Set, the path of a file with one, or {"keys": [ … ]}';
    if (raw === undefined || raw === null) {
      this.error(path, 'config-type', `there is no "jwks": ${expected}`);
      return undefined;
    }
    if (typeof raw === 'string' && raw !== '' && !raw.includes('\0')) return this.jwksText(raw, where);
    try {
      if (typeof raw === 'object') return { kind: 'inline', keys: readKeySet(raw) satisfies JsonWebKeySet };
    } catch (error) {
      if (!(error instanceof KeysUnavailable)) throw error;
      this.error(where, 'config-type', `the keys ${error.message}`);
      return undefined;
    }
    this.error(where, 'config-type', `found ${quote(JSON.stringify(raw))}, expected ${expected}`);
    return undefined;
  }

  private jwksText(text: string, where: readonly Step[]): KeySource | undefined {
    if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
      return { kind: 'file', path: isAbsolute(text) ? text : resolve(this.source.folder, text) };
    }
    const isUrl = /^https?:\/\/[^\s#@/]+(?:\/[^\s#]*)?$/i.test(text) && URL.canParse(text);
    if (isUrl) return { kind: 'url', url: text };
    const message = `found ${quote(text)}, expected an http:// or https:// URL without user and fragment`;
    this.error(where, 'config-type', message);
    return undefined;
  }

  private algorithms(raw: RawValue, path: readonly Step[]): readonly JwtAlgorithm[] {
    const names = Array.isArray(raw) ? (raw as readonly RawValue[]) : [raw];
    const bad = names.filter((name) => typeof name === 'string').find((name) => /^(?:none|HS\d+)$/i.test(name));
    if (bad !== undefined) {
      const why = /^none$/i.test(bad) ? 'no signature' : 'a signature that whoever can check it can make, too';
      const message = `${bad} is ${why}, and never taken; expected some of ${jwtAlgorithms.join(', ')}`;
      this.error(path, 'bad-option', message);
      return [];
    }
    const read = this.value(algorithmList, raw, path) ?? [];
    if (read.length === 0 && names.length === 0) {
      this.error(path, 'bad-option', 'without an algorithm no token is good; leave it out for all');
    }
    return read;
  }

  // ---- the policy

  private header(raw: RawValue): string {
    const name = typeof raw === 'string' && isHeaderName(raw) ? raw.toLowerCase() : undefined;
    if (name !== undefined && !unusableHeaders.has(name)) return name;
    const message = `found ${shown(raw)}, expected the name of a request header, such as authorization`;
    this.error(['header'], 'config-type', message);
    return defaultJwtOptions.header;
  }

  private parameter(raw: RawValue): string | undefined {
    if (raw === 'none' || raw === null) return undefined;
    if (typeof raw === 'string' && /^[\w.~-]{1,100}$/.test(raw)) return raw;
    const message = `found ${shown(raw)}, expected none or the name of a query parameter, such as access_token`;
    this.error(['query_parameter'], 'config-type', message);
    return undefined;
  }

  private realm(raw: RawValue): string {
    const text = this.text(raw, ['realm'], 'a name') ?? '';
    if (!/[^\x20-\x7e]|["\\]/.test(text)) return text;
    this.error(['realm'], 'config-type', `found ${quote(text)}, expected ASCII without quotes and backslashes`);
    return defaultJwtOptions.realm;
  }

  private except(raw: RawValue): RpcSelector[] {
    return this.texts(raw, ['except'], 'a selector such as pkg.Service.Method or pkg.*').map((selector, index) => {
      const place = this.source.placeOf(Array.isArray(raw) ? ['except', index] : ['except']);
      return { selector, place };
    });
  }

  private require(raw: RawValue): ClaimRule[] {
    const example = '{ pkg.Service.Method: { roles: [admin] } }';
    const rules = this.map(raw, ['require'], `"require" is a map of selectors, such as ${example}`) ?? {};
    return Object.entries(rules).flatMap(([selector, value]) => {
      const path = ['require', selector];
      const needed = this.map(value, path, `what ${selector} needs is a map of claims, such as { roles: [admin] }`);
      if (needed === undefined) return [];
      const claims = new Map(
        Object.entries(needed).map(([claim, values]) => [claim, this.claimValues(values, [...path, claim])]),
      );
      return [{ selector, place: this.source.placeOf(path), claims }];
    });
  }

  /** Texts, numbers and booleans are compared as texts. */
  private claimValues(raw: RawValue, path: readonly Step[]): string[] {
    const values = Array.isArray(raw) ? (raw as readonly RawValue[]) : [raw];
    return values.flatMap((value) => {
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return [String(value)];
      this.error(path, 'config-type', `found ${shown(value)}, expected the values of a claim, such as [admin, owner]`);
      return [];
    });
  }

  private forwardClaims(raw: RawValue): Map<string, string> {
    const example = '{ sub: x-user-id }';
    const map = this.map(
      raw,
      ['forward_claims'],
      `"forward_claims" is a map of claims to metadata, such as ${example}`,
    );
    const names = new Map<string, string>();
    for (const [claim, value] of Object.entries(map ?? {})) {
      const path = ['forward_claims', claim];
      const name = typeof value === 'string' ? value.toLowerCase() : '';
      if (!/^[0-9a-z_.-]+$/.test(name) || isReserved(name)) {
        const why = isReserved(name) ? ', which is not for claims' : '';
        const expected = 'a name of metadata such as x-user-id: letters, digits, - _ .';
        this.error(path, 'config-type', `found ${shown(value)}${why}, expected ${expected}`);
      } else if ([...names.values()].includes(name)) {
        this.error(path, 'config-conflict', `${quote(name)} is there for another claim; choose a name for each`);
      } else names.set(claim, name);
    }
    return names;
  }

  /** One selector cannot mean both. */
  private checkOverlap({ except, require }: Pick<JwtOptions, 'except' | 'require'>): void {
    for (const { selector } of require) {
      if (!except.some((other) => other.selector === selector)) continue;
      const message = `${selector} stands under "except", too, and needs no token then; leave one of them out`;
      this.error(['require', selector], 'config-conflict', message);
    }
  }

  // ---- values

  private values<T>(
    map: RawMap,
    kinds: Readonly<Record<string, readonly [keyof T, ValueKind<unknown>]>>,
    path: readonly Step[] = [],
  ): Partial<T> {
    const pairs = Object.entries(kinds).flatMap(([name, [key, kind]]) => {
      const raw = map[name];
      const value = raw === undefined ? undefined : this.value(kind, raw, [...path, name]);
      return value === undefined ? [] : [[key, value] as const];
    });
    return Object.fromEntries(pairs) as Partial<T>;
  }

  private value<T>(kind: ValueKind<T>, raw: RawValue, path: readonly Step[]): T | undefined {
    try {
      return kind.read(raw);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      this.error(path, 'bad-option', `${String(path.at(-1))}: ${error.message}`);
      return undefined;
    }
  }

  private text(raw: RawValue, path: readonly Step[], what: string): string | undefined {
    try {
      return textValue.read(raw);
    } catch {
      this.error(path, 'config-type', `found ${shown(raw)}, expected ${what}: ${textValue.description}`);
      return undefined;
    }
  }

  private texts(raw: RawValue, path: readonly Step[], what: string): string[] {
    const items = Array.isArray(raw) ? (raw as readonly RawValue[]) : [raw];
    return items.flatMap((item, index) => this.text(item, Array.isArray(raw) ? [...path, index] : path, what) ?? []);
  }

  private map(raw: RawValue, path: readonly Step[], expected: string): RawMap | undefined {
    if (raw !== null && typeof raw === 'object' && !Array.isArray(raw)) return raw as RawMap;
    this.error(path, 'config-type', expected);
    return undefined;
  }

  private checkKeys(map: RawMap, path: readonly Step[], known: readonly string[], where: string): void {
    for (const name of Object.keys(map)) {
      if (known.includes(name)) continue;
      const other = otherNames[name] ?? nearestName(name, known);
      const near = other !== undefined && known.includes(other) ? `; did you mean ${other}?` : '';
      const message = `there is no key ${quote(name)} here; ${where} has: ${known.join(', ')}${near}`;
      this.error([...path, name], 'unknown-key', message);
    }
  }

  private error(path: readonly Step[], code: string, message: string): void {
    this.source.error(path, code, message);
  }
}

/** Headers that say something else. */
const unusableHeaders = new Set([...connectionHeaders, 'host', 'content-length', 'content-type']);

/** Metadata that belongs to gRPC, to HTTP or to what the proxy writes by itself. */
function isReserved(name: string): boolean {
  return name.startsWith('grpc-') || reserved.has(name);
}

const reserved = new Set([
  ...unusableHeaders,
  'authorization',
  'content-encoding',
  'expect',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-request-id',
]);

function shown(raw: RawValue): string {
  return quote(typeof raw === 'string' ? raw : JSON.stringify(raw));
}
