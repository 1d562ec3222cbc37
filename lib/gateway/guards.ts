/**
 * The ways to say who calls: tokens and API keys. A guard finds its credential in a request, checks it, and says what services
 * are to know of it. Which RPC needs which is decided in `access`.
 */
import type { Metadata, RequestHead } from '../exchange.js';
import { type HeaderFields, withoutFields } from '../headers.js';
import {
  type ApiKeyOptions,
  type Authenticator,
  challenge,
  claimMetadata,
  type Claims,
  type ClaimRule,
  type Expiry,
  expectedToken,
  isApiKey,
  type JwtOptions,
  type KeyChecker,
  type RequiredClaims,
  type RpcSelector,
  sendsToken,
  withoutParameter,
} from '../policy/index.js';

/** The parts of a request that may hold a credential. */
export interface CredentialRequest {
  readonly headers: HeaderFields;
  readonly query: string | undefined;
  readonly isWebSocket: boolean;
}

/** A credential that was found good. */
export interface Proof {
  /** @throws StatusError 403 if it does not have what `what` needs */
  authorize(claims: RequiredClaims, what: string): void;
  /** What services are told. */
  readonly metadata: Metadata;
  /** What is known of the caller; what a key says, under `api_key`. */
  readonly claims: Claims;
  /** The request as its route is to see it. */
  pass(head: RequestHead): RequestHead;
  readonly expiry?: Expiry | undefined;
  /** Of an API key. */
  readonly keyName?: string;
}

/** A way to say who calls. */
export interface Guard {
  readonly kind: 'token' | 'api_key';
  /** What may hold the credential. */
  readonly header: string;
  readonly queryParameter: string | undefined;
  /** The names of the issuers that are checked. */
  readonly issuers: readonly string[];
  readonly except: readonly RpcSelector[];
  readonly require: readonly ClaimRule[];
  readonly protectPages: boolean;
  readonly protectFallback: boolean;
  /** For messages: `a token`, and where it is expected. */
  readonly what: string;
  readonly expected: string;
  /** The header `www-authenticate`. */
  readonly challenge: readonly [string, string];
  /** True if a request has something that is meant as one, good or not. */
  isSent(request: CredentialRequest): boolean;
  /** @throws StatusError 401, 400 or 503 */
  check(request: CredentialRequest): Proof | Promise<Proof>;
  /** A request without credential as its route is to see it: what may be one is not looked at. */
  pass(head: RequestHead): RequestHead;
}

/** Tokens: `policies.jwt`. */
export function tokenGuard(options: JwtOptions, authenticator: Authenticator): Guard {
  const { header, queryParameter, forwardClaims, forwardToken } = options;
  const passed = (head: RequestHead, headers: HeaderFields): RequestHead => ({
    ...head,
    headers,
    query: withoutParameter(head.query, queryParameter),
  });
  return {
    kind: 'token',
    ...options,
    issuers: options.providers.flatMap(({ issuer }) => issuer ?? []),
    what: 'a token',
    expected: expectedToken(options),
    challenge: challenge(options),
    isSent: (request) => sendsToken(request, options),
    async check(request) {
      const identity = await authenticator.authenticate(request);
      const { claims, place, token, expiry } = identity;
      const isInHeader = place === 'header';
      // One that stood in no header goes where services look for it.
      const moved: Metadata = isInHeader || !forwardToken ? [] : [['authorization', `Bearer ${token}`]];
      return {
        authorize: (required, what) => authenticator.authorize(identity, required, what),
        metadata: [...moved, ...claimMetadata(claims, forwardClaims)],
        claims,
        expiry,
        pass(head) {
          if (isInHeader && forwardToken) return passed(head, head.headers);
          const dropped = isInHeader ? header : 'authorization';
          return passed(
            head,
            withoutFields(head.headers, (name) => name === dropped),
          );
        },
      };
    },
    pass: (head) =>
      passed(
        head,
        forwardToken
          ? head.headers
          : withoutFields(
              head.headers,
              (name, value) => name === header && (name !== 'authorization' || isBearer(value)),
            ),
      ),
  };
}

/** API keys: `policies.api_keys`. */
export function keyGuard(options: ApiKeyOptions, checker: KeyChecker): Guard {
  const { header, queryParameter, forward, forwardKey } = options;
  const pass = (head: RequestHead): RequestHead => {
    if (forwardKey) return head;
    const isKey = (name: string, value: string): boolean =>
      name === header && (name !== 'authorization' || isApiKey(value));
    return {
      ...head,
      headers: withoutFields(head.headers, isKey),
      query: withoutParameter(head.query, queryParameter),
    };
  };
  return {
    kind: 'api_key',
    ...options,
    issuers: [],
    what: 'an API key',
    expected: checker.expected,
    challenge: checker.challenge,
    isSent: (request) => checker.isSent(request),
    check(request) {
      const key = checker.check(request);
      return {
        authorize: (required, what) => checker.authorize(key, required, what),
        metadata: claimMetadata(key.entries, forward),
        claims: { api_key: key.entries },
        pass,
        keyName: key.name,
      };
    },
    pass,
  };
}

function isBearer(value: string): boolean {
  return /^\s*bearer(?:\s|$)/i.test(value);
}
