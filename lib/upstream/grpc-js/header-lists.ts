/** Passes header lists around Node's HTTP/2 client: from the guard of a connection to their call. */
import type { HeaderFields } from '../../headers.js';

/** A header list as received. */
export interface HeaderList {
  readonly fields: HeaderFields;
  /** True if it exceeded its limit and is incomplete. */
  readonly cut: boolean;
}

/** The header with the id of a list. The guard removes all headers of the service, so it cannot be forged. */
export const LIST_HEADER = 'photongate-list';

/** Limit of lists that wait for their call. Those of cancelled calls are never taken, so the oldest are dropped. */
const MAX_LISTS = 4096;
const MAX_BYTES = 64 * 1024 ** 2;

/** Header lists by id. */
export class HeaderLists {
  private readonly lists = new Map<string, { readonly list: HeaderList; readonly bytes: number }>();
  private bytes = 0;
  private count = 0;

  /** Stores a list; returns its id. */
  add(list: HeaderList): string {
    const name = String(this.count++);
    const bytes = list.fields.reduce((sum, text) => sum + text.length, 0);
    this.lists.set(name, { list, bytes });
    this.bytes += bytes;
    for (const oldest of this.lists.keys()) {
      if (this.lists.size <= MAX_LISTS && this.bytes <= MAX_BYTES) break;
      this.take(oldest);
    }
    return name;
  }

  /** Removes and returns a list; undefined if it was dropped. */
  take(name: string): HeaderList | undefined {
    const kept = this.lists.get(name);
    if (kept === undefined) return undefined;
    this.lists.delete(name);
    this.bytes -= kept.bytes;
    return kept.list;
  }
}
