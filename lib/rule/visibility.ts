/**
 * google.api.visibility restricts who may see an RPC or a field. Google's own infrastructure enforces it, but this proxy does
 * not, so it warns.
 */
import type { FileDescriptor, MethodDescriptor, Restricted, Schema } from '../schema/types.js';
import type { ProblemList } from '../status.js';

/** Most names in a message; further ones are counted. */
const MAX_NAMES = 5;

/**
 * One warning about everything restricted that is served nevertheless: RPCs, and other declarations in the files of their
 * services and in imports of those.
 * @param served may contain an RPC more than once
 */
export function warnOfVisibility(
  schema: Schema,
  served: Iterable<Pick<MethodDescriptor, 'fullName' | 'service'>>,
  problems: ProblemList,
): void {
  const methods = [...new Map([...served].map((method) => [method.fullName, method])).values()];
  const services = new Set(methods.map(({ service }) => service.fullName));
  const names = new Set(methods.map(({ fullName }) => fullName));
  const files = withImports(schema.services.filter(({ fullName }) => services.has(fullName)).map(({ file }) => file));
  const restricted = [...files].flatMap((file) => file.restricted);
  const hidden = new Set(restricted.flatMap(({ kind, fullName }) => (kind === 'service' ? fullName : [])));
  const isShown = ({ kind, fullName }: Restricted): boolean =>
    kind === 'rpc'
      ? names.has(fullName) && !hidden.has(serviceOf(fullName))
      : kind !== 'service' || services.has(fullName);
  const shown = restricted.filter(isShown);
  const first = shown[0];
  if (first === undefined) return;
  // If a service is restricted, so are all its RPCs.
  const rpcs = methods.filter(({ service }) => hidden.has(service.fullName)).length;
  problems.warn({
    code: 'visibility-ignored',
    message: `google.api.visibility is ignored: ${counted(shown, rpcs)} marked ${labelsOf(shown)}, but served to everybody: ${namesOf(shown)}`,
    place: first.place,
    hint: 'to remove an RPC, give it a rule with only a selector (--rules); to remove a service, use --service; fields must be left out by the service itself',
  });
}

function withImports(files: readonly FileDescriptor[]): ReadonlySet<FileDescriptor> {
  const all = new Set(files);
  for (const file of all) for (const imported of file.imports) all.add(imported);
  return all;
}

function serviceOf(rpc: string): string {
  return rpc.slice(0, rpc.lastIndexOf('.'));
}

/**
 * `2 RPCs and 1 field are`.
 * @param more RPCs of restricted services
 */
function counted(shown: readonly Restricted[], more: number): string {
  const count = (...kinds: Restricted['kind'][]): number => shown.filter(({ kind }) => kinds.includes(kind)).length;
  const counts: readonly (readonly [string, number])[] = [
    ['RPC', count('rpc') + more],
    ['field', count('field', 'extension')],
    ['message', count('message')],
    ['enum', count('enum')],
    ['enum value', count('enum value')],
  ];
  const parts = counts.flatMap(([what, number]) => (number === 0 ? [] : `${number} ${what}${number === 1 ? '' : 's'}`));
  const total = counts.reduce((sum, [, number]) => sum + number, 0);
  const last = parts.pop()!;
  return `${parts.length === 0 ? last : `${parts.join(', ')} and ${last}`} ${total === 1 ? 'is' : 'are'}`;
}

function labelsOf(shown: readonly Restricted[]): string {
  return [...new Set(shown.flatMap(({ labels }) => labels))].sort().join(', ');
}

function namesOf(shown: readonly Restricted[]): string {
  const names = shown.slice(0, MAX_NAMES).map(({ fullName }) => fullName);
  return shown.length <= MAX_NAMES ? names.join(', ') : `${names.join(', ')} and ${shown.length - MAX_NAMES} more`;
}
