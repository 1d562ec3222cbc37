/** Pages of lists, by cursors that hold no state. */
import { quote } from '../uri.js';
import { RpcCode, RpcError } from './json-rpc.js';

/** What is on a page, and the member that names the next one. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  /** `,"nextCursor":"…"`, or nothing. */
  readonly next: string;
}

/**
 * The page that `cursor` stands for.
 * @param kind of the items, as their cursors are good for one list alone
 * @throws RpcError if the cursor is not one of this list
 */
export function pageOf<Item>(
  all: readonly Item[],
  kind: string,
  cursor: string | undefined,
  size: number,
): ListPage<Item> {
  const start = cursor === undefined ? 0 : offsetOf(cursor, kind);
  if (start === undefined || (start > 0 && start >= all.length)) throw badCursor(cursor);
  const end = start + size;
  const next = end < all.length ? `,"nextCursor":${JSON.stringify(cursorOf(kind, end))}` : '';
  return { items: all.slice(start, end), next };
}

function cursorOf(kind: string, offset: number): string {
  return Buffer.from(`${kind} ${offset}`).toString('base64url');
}

function offsetOf(cursor: string, kind: string): number | undefined {
  const [name, digits] = Buffer.from(cursor, 'base64url').toString('latin1').split(' ');
  return name === kind && /^\d{1,9}$/.test(digits ?? '') ? Number(digits) : undefined;
}

function badCursor(cursor = ''): RpcError {
  return new RpcError(
    RpcCode.INVALID_PARAMS,
    `the cursor ${quote(cursor)} is not one of this server; begin without one`,
  );
}
