/** Counts what a piece of code moves in memory, without a clock: elements of arrays, and bytes of buffers. */

export interface Moves {
  /** What `shift`, `unshift`, `splice` and `slice` of arrays moved or copied. */
  elements: number;
  /** What `Buffer.concat`, `copy` and `set` copied. */
  bytes: number;
}

/** Runs `work` and counts; code that runs meanwhile is counted too. */
export async function countMoves(work: () => unknown): Promise<Moves> {
  const moves: Moves = { elements: 0, bytes: 0 };
  const undo: (() => void)[] = [];
  const watch = (
    owner: object,
    name: string,
    count: (self: unknown, args: unknown[], result: unknown) => void,
  ): void => {
    const methods = owner as Record<string, (...args: unknown[]) => unknown>;
    const inherited = !Object.hasOwn(owner, name);
    const original = methods[name]!;
    methods[name] = function (this: unknown, ...args: unknown[]): unknown {
      const result = original.apply(this, args);
      count(this, args, result);
      return result;
    };
    undo.push(() => {
      if (inherited) delete methods[name];
      else methods[name] = original;
    });
  };
  const arrays = Array.prototype as unknown[];
  for (const name of ['shift', 'unshift', 'splice']) {
    watch(arrays, name, (self) => (moves.elements += (self as unknown[]).length));
  }
  watch(arrays, 'slice', (_self, _args, result) => (moves.elements += (result as unknown[]).length));
  watch(Buffer, 'concat', (_self, _args, result) => (moves.bytes += (result as Buffer).length));
  watch(Buffer.prototype as object, 'copy', (_self, _args, result) => (moves.bytes += result as number));
  watch(Buffer.prototype as object, 'set', (_self, args) => (moves.bytes += (args[0] as ArrayLike<number>).length));
  try {
    await work();
  } finally {
    for (const restore of undo) restore();
  }
  return moves;
}
