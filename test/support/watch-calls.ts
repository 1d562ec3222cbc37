/** Runs `work`, and tells of each call of a built-in method meanwhile: what native code does is no step of ours. */
export function watchCalls<T>(
  prototype: object,
  name: string,
  onCall: (self: unknown, args: readonly unknown[]) => void,
  work: () => T,
): T {
  const original = Object.getOwnPropertyDescriptor(prototype, name)!;
  const call = original.value as (this: unknown, ...args: unknown[]) => unknown;
  const value = function (this: unknown, ...args: unknown[]): unknown {
    onCall(this, args);
    return call.apply(this, args);
  };
  Object.defineProperty(prototype, name, { ...original, value });
  try {
    return work();
  } finally {
    Object.defineProperty(prototype, name, original);
  }
}
