/**
 * Where a rule comes from and which of two comes first: what messages name, and what decides between duplicates.
 */
import type { SourcePlace } from '../status.js';

export interface RuleOrigin {
  /** Full name of the RPC: `package.Service.Method`. */
  readonly rpc: string;
  /** Of the pattern in its file. */
  readonly place: SourcePlace;
  /** Position of the file among those that were asked for; undefined sorts last. */
  readonly fileOrder: number | undefined;
  /** Position of the rule in its file, additional bindings counted. */
  readonly declaration: number;
}

/** Orders by asked-for file, then file name, then declaration. */
export function compareOrigins(a: RuleOrigin, b: RuleOrigin): number {
  const aOrder = a.fileOrder ?? Number.MAX_SAFE_INTEGER;
  const bOrder = b.fileOrder ?? Number.MAX_SAFE_INTEGER;
  if (aOrder !== bOrder) return aOrder - bOrder;
  if (a.place.file !== b.place.file) return a.place.file < b.place.file ? -1 : 1;
  return a.declaration - b.declaration;
}

/** `shelf.proto:12`, for the text of a message. */
export function placeText({ file, line }: SourcePlace): string {
  return line === undefined ? file : `${file}:${line}`;
}
