/** The value of a key in a cache; made when it is first asked for. `undefined` is a value too. */
export function cached<K, V>(cache: Map<K, V>, key: K, make: () => V): V {
  const found = cache.get(key);
  if (found !== undefined || cache.has(key)) return found as V;
  const made = make();
  cache.set(key, made);
  return made;
}
