/** The origin of a rule: its name in messages, and the order that decides between duplicates. */
import type { SourcePlace } from '../status.js';

/** Origin of a rule. */
export interface RuleOrigin {
  /** Full name of the RPC: `package.Service.Method`. */
  readonly rpc: string;
  /** Place of the pattern in its file. */
  readonly place: SourcePlace;
  /** Position of the file among those that the user named; undefined sorts last. */
  readonly fileOrder: number | undefined;
  /** Position of the rule in its file, counting additional bindings. */
  readonly declaration: number;
}

/** Compares by the file's position, then its name, then the position in the file. */
export function compareOrigins(a: RuleOrigin, b: RuleOrigin): number {
  const aOrder = a.fileOrder ?? Number.MAX_SAFE_INTEGER;
  const bOrder = b.fileOrder ?? Number.MAX_SAFE_INTEGER;
  if (aOrder !== bOrder) return aOrder - bOrder;
  if (a.place.file !== b.place.file) return a.place.file < b.place.file ? -1 : 1;
  return a.declaration - b.declaration;
}

/** `shelf.proto:12`, for messages. */
export function placeText({ file, line }: SourcePlace): string {
  return line === undefined ? file : `${file}:${line}`;
}
