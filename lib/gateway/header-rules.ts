/**
 * `header_rules`: a `Channel` around that of a call, which changes what the service gets and what it answers. Metadata is what
 * all protocols have, so they are alike. What applies to an RPC is decided at the start; without a rule for it, its calls pass
 * as they are.
 */
import { type CommandContext, compileValue } from '../commands.js';
import type { CallListener, CallStatus, Channel, Metadata, MetadataEntry, RequestHead } from '../exchange.js';
import { claimMetadata, type Claims } from '../policy/index.js';
import { selectorMatches } from '../rule/index.js';
import type { Frame } from '../wire/index.js';
import { withoutTold } from './access.js';
import { type HeaderDirection, type HeaderRuleSettings, isReserved } from './header-rule-options.js';

type Change = (metadata: Metadata, context: CommandContext) => Metadata;

/** The changes of one RPC. */
interface MethodHeaders {
  readonly request: readonly Change[];
  /** Claims → headers, after all changes. */
  readonly claims: ReadonlyMap<string, string>;
  /** Of headers and trailers. */
  readonly filters: readonly Change[];
  /** What headers get besides. */
  readonly additions: readonly Change[];
}

/** The rules of one gateway. */
export class HeaderRules {
  private readonly byRpc = new Map<string, MethodHeaders>();

  /** @param rpcs all that can be reached, by full name */
  constructor(rules: readonly HeaderRuleSettings[], rpcs: readonly string[]) {
    for (const rpc of rpcs) {
      const own = rules.filter(({ selector: { selector } }) => selectorMatches(selector, rpc));
      if (own.length > 0) this.byRpc.set(rpc, methodHeaders(own));
    }
  }

  /** The channel of one call, whose headers are changed. */
  around(channel: Channel, rpc: string, head: RequestHead, claims: Claims): Channel {
    const rules = this.byRpc.get(rpc);
    if (rules === undefined) return channel;
    const context = contextOf(head);
    return {
      target: channel.target,
      start(request, listener) {
        const metadata = requestMetadata(request.metadata, rules, context, claims);
        return channel.start({ ...request, metadata }, answerListener(listener, rules, context));
      },
      connect: (timeoutMs) => channel.connect(timeoutMs),
      close: () => channel.close(),
    };
  }
}

/** The headers that the claims of any RPC become: clients set none of them anywhere. */
export function claimHeaders(rules: readonly HeaderRuleSettings[]): string[] {
  return rules.flatMap(({ request }) => [...(request?.setFromClaims?.values() ?? [])]);
}

function methodHeaders(rules: readonly HeaderRuleSettings[]): MethodHeaders {
  const responses = rules.map(({ response = {} }) => response);
  return {
    request: rules.flatMap(({ request = {} }) => [...filtersOf(request), ...additionsOf(request)]),
    claims: new Map(rules.flatMap(({ request }) => [...(request?.setFromClaims ?? [])])),
    filters: responses.flatMap(filtersOf),
    additions: responses.flatMap(additionsOf),
  };
}

type Direction = Omit<HeaderDirection, 'setFromClaims'>;

function filtersOf({ allow, deny = [], rename = new Map<string, string>() }: Direction): Change[] {
  const changes: Change[] = [];
  if (allow !== undefined) {
    const isAllowed = matcherOf(allow);
    changes.push((metadata) => metadata.filter(([name]) => isReserved(name) || isAllowed(name)));
  }
  if (deny.length > 0) {
    const isDenied = matcherOf(deny);
    changes.push((metadata) => metadata.filter(([name]) => !isDenied(name)));
  }
  if (rename.size > 0) changes.push((metadata) => renamed(metadata, rename));
  return changes;
}

function additionsOf({ append = new Map<string, string>(), set = new Map<string, string>() }: Direction): Change[] {
  const appended = [...append].map(([name, value]): Change => {
    const write = compileValue(value);
    return (metadata, context) => added(metadata, name, write(context));
  });
  const replaced = [...set].map(([name, value]): Change => {
    const write = compileValue(value);
    return (metadata, context) =>
      added(
        metadata.filter(([other]) => other !== name),
        name,
        write(context),
      );
  });
  return [...appended, ...replaced];
}

/** What metadata cannot carry, and what is empty, is left out. */
function added(metadata: Metadata, name: string, value: string): Metadata {
  return /^[\x20-\x7e]+$/.test(value) ? [...metadata, [name, value]] : metadata;
}

function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  return (name) => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/** What had a new name gives way, if something takes it. */
function renamed(metadata: Metadata, names: ReadonlyMap<string, string>): Metadata {
  const taken = new Set(metadata.flatMap(([name]) => names.get(name) ?? []));
  return metadata.flatMap(([name, value]): MetadataEntry[] => {
    const to = names.get(name);
    if (to !== undefined) return [[to, value]];
    return taken.has(name) ? [] : [[name, value]];
  });
}

function requestMetadata(
  metadata: Metadata,
  { request, claims: names }: MethodHeaders,
  context: CommandContext,
  claims: Claims,
): Metadata {
  const changed = request.reduce((passed, change) => change(passed, context), metadata);
  if (names.size === 0) return changed;
  return [...withoutTold(changed, [...names.values()]), ...claimMetadata(claims, names)];
}

function answerListener(listener: CallListener, rules: MethodHeaders, context: CommandContext): CallListener {
  if (rules.filters.length === 0 && rules.additions.length === 0) return listener;
  return new RuledListener(listener, rules, context);
}

class RuledListener implements CallListener {
  private hasHeaders = false;

  constructor(
    private readonly inner: CallListener,
    private readonly rules: MethodHeaders,
    private readonly context: CommandContext,
  ) {}

  onHeaders(headers: Metadata): void {
    this.hasHeaders = true;
    this.inner.onHeaders(this.apply(this.rules.additions, this.apply(this.rules.filters, headers)));
  }
  onMessageStart(bytes: number): void {
    this.inner.onMessageStart?.(bytes);
  }
  onMessage(frame: Frame): void {
    this.inner.onMessage(frame);
  }
  onEnd(status: CallStatus): void {
    // A service that fails at once sends trailers alone. What no service has said gets nothing of this.
    if (!this.hasHeaders && this.rules.additions.length > 0 && status.failure === undefined) this.onHeaders([]);
    this.inner.onEnd({ ...status, trailers: this.apply(this.rules.filters, status.trailers) });
  }
  onDrain(): void {
    this.inner.onDrain?.();
  }

  private apply(changes: readonly Change[], metadata: Metadata): Metadata {
    return changes.reduce((passed, change) => change(passed, this.context), metadata);
  }
}

function contextOf({ method, path, query, headers, httpVersion, caller, requestId }: RequestHead): CommandContext {
  return {
    request: headers,
    pseudo: {
      ':method': method,
      ':path': query === undefined ? path : `${path}?${query}`,
      'x-request-id': requestId,
    },
    protocol: `HTTP/${httpVersion}`,
    remoteAddress: caller.address,
    remotePort: 0,
    cluster: '',
  };
}
