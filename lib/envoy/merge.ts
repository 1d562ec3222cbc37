/**
 * Several bootstraps as one, as Envoy merges `--config-yaml` into `--config-path`: later scalars win, messages are merged, lists
 * add up.
 */
import { type InputMap, type InputMember, type InputNode, libraryName } from '../options/index.js';

export function mergeBootstraps([first, ...others]: readonly InputNode[]): InputNode | undefined {
  return first === undefined ? undefined : others.reduce(merge, first);
}

function merge(base: InputNode, other: InputNode): InputNode {
  if (base.kind === 'list' && other.kind === 'list') return { ...base, items: [...base.items, ...other.items] };
  // An Any is bytes with a type: the later one replaces it.
  if (base.kind !== 'map' || other.kind !== 'map' || isAny(other)) return other;
  const members = new Map(base.members.map((member) => [libraryName(member.name), member]));
  for (const member of other.members) {
    const name = libraryName(member.name);
    members.set(name, mergeMembers(members.get(name), member));
  }
  return { ...base, members: [...members.values()] };
}

function mergeMembers(base: InputMember | undefined, other: InputMember): InputMember {
  return base === undefined ? other : { ...base, value: merge(base.value, other.value) };
}

function isAny({ members }: InputMap): boolean {
  return members.some(({ name }) => name === '@type');
}
