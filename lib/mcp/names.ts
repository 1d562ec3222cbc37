/** Names of tools, which agents remember: stable, unique, and of characters that all clients accept. */
import { createHash } from 'node:crypto';
import type { MethodDescriptor } from '../schema/types.js';

/** Several APIs of models accept no longer names, and no dots. */
const MAX_NAME_LENGTH = 64;

/** A tool that is to get a name. */
export interface Nameable {
  readonly method: Pick<MethodDescriptor, 'fullName' | 'name'> & {
    readonly service: Pick<MethodDescriptor['service'], 'fullName' | 'name'>;
  };
  /** Of the mount: the same RPC may be served below several. */
  readonly prefix: string;
}

/**
 * A name for each, in order: `Service_Method`, or `pkg_Service_Method` if two services share the name or `style` is full. A
 * name that is too long, or that another one has, is told apart by a digest of what it stands for.
 */
export function toolNames(
  tools: readonly Nameable[],
  style: 'short' | 'full',
  taken: readonly string[] = [],
): string[] {
  const byName = new Map<string, Set<string>>();
  for (const { method } of tools) {
    const { name, fullName } = method.service;
    byName.set(name, (byName.get(name) ?? new Set()).add(fullName));
  }
  const wishes = tools.map(({ method: { service, name } }) => {
    const isShort = style === 'short' && byName.get(service.name)!.size === 1;
    return `${isShort ? service.name : service.fullName.replaceAll('.', '_')}_${name}`;
  });
  const counts = new Map<string, number>(taken.map((name) => [name, 1]));
  for (const wish of wishes) counts.set(wish, (counts.get(wish) ?? 0) + 1);
  return wishes.map((wish, index) => {
    if (wish.length <= MAX_NAME_LENGTH && counts.get(wish) === 1) return wish;
    const { method, prefix } = tools[index]!;
    const digest = createHash('sha256').update(`${prefix} ${method.fullName}`).digest('hex').slice(0, 8);
    return `${wish.slice(0, MAX_NAME_LENGTH - digest.length - 1)}_${digest}`;
  });
}

/** `GetBook` → `Get book`, `ListVMs` → `List VMs`. */
export function titleOf(name: string): string {
  const words = name.match(/[A-Z]+s?(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? [name];
  return words
    .map((word, index) => (index > 0 && /^[A-Z][a-z]+$/.test(word) && word.length > 1 ? word.toLowerCase() : word))
    .join(' ');
}
