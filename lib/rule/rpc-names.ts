/** The RPCs of a schema, by selector, and the problem of a selector that matches none. */
import { nearestName, type Problem } from '../status.js';
import { quote } from '../uri.js';

/** A set of RPCs that a selector is looked up in, in constant time. */
export class Selectable {
  private readonly names: ReadonlySet<string>;

  constructor(rpcs: readonly string[]) {
    this.names = new Set(rpcs.flatMap((rpc) => [rpc, ...wildcardsFor(rpc)]));
  }

  has(selector: string): boolean {
    return selector === '*' ? this.names.size > 0 : this.names.has(selector);
  }
}

/** The wildcards that match an RPC: `a.S.*` and `a.*` for `a.S.M`. */
function wildcardsFor(rpc: string): string[] {
  const parts = rpc.split('.').slice(0, -1);
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('.')}.*`);
}

/** The problem, without its place, of a selector that matches none of `rpcs`. */
export function unknownRpc(selector: string, rpcs: readonly string[]): Pick<Problem, 'code' | 'message' | 'hint'> {
  const code = 'unknown-rpc';
  const message = `no RPC is named ${quote(selector)}`;
  if (!selector.endsWith('*') && rpcs.some((rpc) => rpc.startsWith(`${selector}.`))) {
    return { code, message, hint: `write ${selector}.* for all RPCs in it` };
  }
  const known = selector.endsWith('*') ? new Set(rpcs.flatMap(wildcardsFor)) : rpcs;
  const near = nearestName(selector, known);
  return { code, message, ...(near !== undefined && { hint: `did you mean ${near}?` }) };
}
