/**
 * Which RPC needs which credential: decided once from the options, by selector. Lets a request pass with its identity, which
 * services get as metadata, or refuses it. Without the options there is no `Access`, and nothing of this costs anything.
 */
import type { Channel, Metadata, RequestHead } from '../exchange.js';
import { type Claims, earlier, type Expiry, type RequiredClaims } from '../policy/index.js';
import { selectorMatches, selectorRank } from '../rule/index.js';
import { refusedBy, type Refuser, StatusError } from '../status.js';
import type { CredentialRequest, Guard, Proof } from './guards.js';

/** A credential that will do for an RPC, and what it must say. */
export interface Credential {
  readonly guard: Guard;
  /** None of them perhaps. */
  readonly claims: RequiredClaims;
}

/** What an RPC needs: one of these; empty: nothing. */
export type Need = readonly Credential[];

/** A request that may pass: as the route is to see it, and what the service is to know of its caller. */
export interface Admitted {
  readonly head: RequestHead;
  readonly metadata: Metadata;
  /** When its streams end; undefined: when they do by themselves. */
  readonly expiry?: Expiry | undefined;
  /** Of its credentials. Default: none. */
  readonly claims?: Claims;
  /** Of an API key. */
  readonly keyName?: string | undefined;
}

const noClaims: RequiredClaims = new Map();

/** Credentials and the RPCs that need them, of one gateway. */
export class Access {
  private readonly needs: ReadonlyMap<string, Need>;
  /** One of what is taken at all: what nobody knows needs that. */
  readonly anyNeed: Need;
  /** Of pages, and of requests for the fallback. */
  readonly pageNeed: Need;
  readonly fallbackNeed: Need;

  /**
   * @param guards in the order in which their refusals count
   * @param rpcs all that can be reached, by full name
   */
  constructor(
    private readonly guards: readonly Guard[],
    rpcs: readonly string[],
  ) {
    this.needs = new Map(rpcs.map((rpc) => [rpc, guards.flatMap((guard) => credentialFor(guard, rpc))]));
    this.anyNeed = guards.map((guard) => ({ guard, claims: noClaims }));
    this.pageNeed = this.anyNeed.filter(({ guard }) => guard.protectPages);
    this.fallbackNeed = this.anyNeed.filter(({ guard }) => guard.protectFallback);
  }

  /** The names of the issuers of tokens; undefined if no tokens are taken. */
  get issuers(): readonly string[] | undefined {
    return this.guards.find(({ kind }) => kind === 'token')?.issuers;
  }

  /** What an RPC needs. What is not known needs a credential. */
  needOf(rpc: string): Need {
    return this.needs.get(rpc) ?? this.anyNeed;
  }

  /** The same, for documents. */
  credentialsFor(rpc: string): readonly (Pick<Guard, 'kind' | 'header' | 'issuers'> & Pick<Credential, 'claims'>)[] {
    return this.needOf(rpc).map(({ guard: { kind, header, issuers }, claims }) => ({ kind, header, issuers, claims }));
  }

  /** What an RPC gets that needs nothing: the request without what may be a credential that services are not to see. */
  open(head: RequestHead): Admitted {
    return { head: this.guards.reduce((passed, guard) => guard.pass(passed), head), metadata: [] };
  }

  /**
   * Checks the credentials of a request. All that it has must be good, and one of them must permit what is asked for.
   * @param what that is asked for, for messages: the name of the RPC
   * @param need not empty
   * @throws StatusError 401, 403, 400 or 503
   */
  async admit(head: RequestHead, what: string, need: Need, isWebSocket: boolean): Promise<Admitted> {
    const request = { headers: head.headers, query: head.query, isWebSocket };
    const sent = need.length === 1 ? need : need.filter(({ guard }) => guard.isSent(request));
    if (sent.length === 0) throw missing(need);
    const proofs = new Map<Guard, Proof>();
    for (const { guard } of sent) proofs.set(guard, await check(guard, request));
    authorize(sent, proofs, what);
    const all = [...proofs.values()];
    return {
      head: this.guards.reduce((passed, guard) => (proofs.get(guard) ?? guard).pass(passed), head),
      metadata: all.flatMap(({ metadata }) => metadata),
      expiry: all.reduce<Expiry | undefined>((first, { expiry }) => earlier(first, expiry), undefined),
      claims: Object.assign({}, ...all.map(({ claims }) => claims)) as Claims,
      keyName: all.find(({ keyName }) => keyName !== undefined)?.keyName,
    };
  }
}

async function check(guard: Guard, request: CredentialRequest): Promise<Proof> {
  try {
    return await guard.check(request);
  } catch (error) {
    throw refusedBy(error, refuserOf(guard));
  }
}

function refuserOf({ kind }: Guard): Refuser {
  return kind === 'token' ? 'jwt' : 'api_keys';
}

/** One that permits it is enough. @throws StatusError 403 of the first that does not */
function authorize(sent: Need, proofs: ReadonlyMap<Guard, Proof>, what: string): void {
  let refusal: unknown;
  for (const { guard, claims } of sent) {
    try {
      return proofs.get(guard)!.authorize(claims, what);
    } catch (error) {
      refusal ??= refusedBy(error, refuserOf(guard));
    }
  }
  throw refusal;
}

function missing(need: Need): StatusError {
  const whats = need.map(({ guard }) => guard.what).join(' or ');
  const places = need.map(({ guard }) => guard.expected).join(', or ');
  return StatusError.http(401, `this needs ${whats}; expected ${places}`, {
    refusedBy: refuserOf(need[0]!.guard),
    headers: need.map(
      ({
        guard: {
          challenge: [name, value],
        },
      }): [string, string] => [name, value],
    ),
  });
}

/** Claim by claim, and credential or none: the most particular selector decides. */
function credentialFor(guard: Guard, rpc: string): Credential[] {
  const opened = guard.except.filter(({ selector }) => selectorMatches(selector, rpc));
  const rules = guard.require
    .filter(({ selector }) => selectorMatches(selector, rpc))
    .sort((a, b) => selectorRank(a.selector) - selectorRank(b.selector));
  const openRank = Math.max(-1, ...opened.map(({ selector }) => selectorRank(selector)));
  const last = rules.at(-1);
  if (openRank > (last === undefined ? -1 : selectorRank(last.selector))) return [];
  const claims = new Map(rules.flatMap((rule) => [...rule.claims]));
  return [{ guard, claims: new Map([...claims].filter(([, values]) => values.length > 0)) }];
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
  const names = identity.map(([name]) => name);
  return [...withoutTold(metadata, names), ...identity];
}

/** What a client says, without what the proxy alone says, also in the spelling that some servers treat alike. */
export function withoutTold(metadata: Metadata, names: readonly string[]): Metadata {
  const told = new Set(names.map(plainName));
  return metadata.filter(([name]) => !told.has(plainName(name)));
}

const plainName = (name: string): string => name.replaceAll('_', '-');

/** True for a name that is in the identity, also in the spelling that some servers treat alike. */
export function toldNames(identity: Metadata): (name: string) => boolean {
  if (identity.length === 0) return () => false;
  const names = new Set(identity.map(([name]) => plainName(name)));
  return (name) => names.has(plainName(name));
}
