/**
 * Which RPC needs which token: decided once from the options, by selector. Lets a request pass with its identity, which
 * services get as metadata, or refuses it. Without the option there is no `Access`, and nothing of this costs anything.
 */
import type { Channel, Metadata, MetadataEntry, RequestHead } from '../exchange.js';
import { type HeaderFields, withoutFields } from '../headers.js';
import {
  type Authenticator,
  claimMetadata,
  type Claims,
  type Expiry,
  type Identity,
  type JwtOptions,
  type RequiredClaims,
  withoutToken,
} from '../policy/index.js';
import { selectorMatches, selectorRank } from '../rule/index.js';

/** What an RPC needs: claims, none of them perhaps, or no token at all. */
type Need = RequiredClaims | 'nothing';

/** A request that may pass: as the route is to see it, and what the service is to know of its caller. */
export interface Admitted {
  readonly head: RequestHead;
  readonly metadata: Metadata;
  /** When its streams end; undefined: when they do by themselves. */
  readonly expiry?: Expiry | undefined;
  /** Of its token. Default: none. */
  readonly claims?: Claims;
}

const noClaims: RequiredClaims = new Map();

/** Tokens and the RPCs that need them, of one gateway. */
export class Access {
  private readonly needs: ReadonlyMap<string, Need>;

  /** @param rpcs all that can be reached, by full name */
  constructor(
    private readonly options: JwtOptions,
    private readonly authenticator: Authenticator,
    rpcs: readonly string[],
  ) {
    this.needs = new Map(rpcs.map((rpc) => [rpc, needOf(options, rpc)]));
  }

  /** The request header that tokens stand in. */
  get header(): string {
    return this.options.header;
  }

  /** The names of the issuers that are checked. */
  get issuers(): readonly string[] {
    return this.options.providers.flatMap(({ issuer }) => issuer ?? []);
  }

  get protectsPages(): boolean {
    return this.options.protectPages;
  }

  get protectsFallback(): boolean {
    return this.options.protectFallback;
  }

  /** The claims that an RPC needs; undefined where it needs no token. What is not known needs one. */
  claimsFor(rpc: string): RequiredClaims | undefined {
    const need = this.needs.get(rpc) ?? noClaims;
    return need === 'nothing' ? undefined : need;
  }

  /** What an RPC gets that needs no token: the request without what may be one, where services are not to see it. */
  open(head: RequestHead): Admitted {
    const { forwardToken, header } = this.options;
    const headers = forwardToken
      ? head.headers
      : withoutFields(head.headers, (name, value) => name === header && (name !== 'authorization' || isBearer(value)));
    return { head: { ...head, headers, query: this.passedQuery(head.query) }, metadata: [] };
  }

  /**
   * Checks the token of a request.
   * @param what that is asked for, for messages: the name of the RPC
   * @param claims that the token must have
   * @throws StatusError 401, 403, 400 or 503
   */
  async admit(head: RequestHead, what: string, claims: RequiredClaims, isWebSocket: boolean): Promise<Admitted> {
    const { headers, query } = head;
    const identity = await this.authenticator.authenticate({ headers, query, isWebSocket });
    this.authenticator.authorize(identity, claims, what);
    const { forwardClaims } = this.options;
    return {
      head: { ...head, query: this.passedQuery(query), headers: this.passedHeaders(headers, identity) },
      metadata: [...this.tokenMetadata(identity), ...claimMetadata(identity.claims, forwardClaims)],
      expiry: identity.expiry,
      claims: identity.claims,
    };
  }

  /** Without the parameter that may hold a token, which no route knows. */
  private passedQuery(query: string | undefined): string | undefined {
    const { queryParameter } = this.options;
    return queryParameter === undefined ? query : withoutToken(query, queryParameter);
  }

  /** Without the token where services are not to see it, or see it in another place. */
  private passedHeaders(headers: HeaderFields, { place }: Identity): HeaderFields {
    const { forwardToken, header } = this.options;
    if (place === 'header' && forwardToken) return headers;
    const dropped = place === 'header' ? header : 'authorization';
    return withoutFields(headers, (name) => name === dropped);
  }

  /** One that stood in no header goes where services look for it. */
  private tokenMetadata({ place, token }: Identity): MetadataEntry[] {
    return place === 'header' || !this.options.forwardToken ? [] : [['authorization', `Bearer ${token}`]];
  }
}

function isBearer(value: string): boolean {
  return /^\s*bearer(?:\s|$)/i.test(value);
}

/** Claim by claim, and token or none: the most particular selector decides. */
function needOf({ except, require }: JwtOptions, rpc: string): Need {
  const opened = except.filter(({ selector }) => selectorMatches(selector, rpc));
  const rules = require
    .filter(({ selector }) => selectorMatches(selector, rpc))
    .sort((a, b) => selectorRank(a.selector) - selectorRank(b.selector));
  const openRank = Math.max(-1, ...opened.map(({ selector }) => selectorRank(selector)));
  const last = rules.at(-1);
  if (openRank > (last === undefined ? -1 : selectorRank(last.selector))) return 'nothing';
  const claims = new Map(rules.flatMap((rule) => [...rule.claims]));
  return new Map([...claims].filter(([, values]) => values.length > 0));
}

/** A channel whose calls say, besides what the client does, who it is. What the client says under the same names counts for nothing. */
export function identified(channel: Channel, identity: Metadata): Channel {
  if (identity.length === 0) return channel;
  return {
    target: channel.target,
    start: (request, listener) =>
      channel.start({ ...request, metadata: withIdentity(request.metadata, identity) }, listener),
    connect: (timeoutMs) => channel.connect(timeoutMs),
    close: () => channel.close(),
  };
}

/** What a client says, and then who it is. */
export function withIdentity(metadata: Metadata, identity: Metadata): Metadata {
  if (identity.length === 0) return metadata;
  const isTold = toldNames(identity);
  return [...metadata.filter(([name]) => !isTold(name)), ...identity];
}

/** True for a name that is in the identity, also in the spelling that some servers treat alike. */
export function toldNames(identity: Metadata): (name: string) => boolean {
  if (identity.length === 0) return () => false;
  const names = new Set(identity.map(([name]) => name.replaceAll('_', '-')));
  return (name) => names.has(name.replaceAll('_', '-'));
}
