/**
 * google.api.visibility: which declarations are restricted to callers with a label, by annotations and by the `visibility` of
 * service configs, and which of them some labels open.
 */
import type { DeclaredName, FileDescriptor, MethodDescriptor, Restricted, Schema } from '../schema/types.js';
import { nearestName, type ProblemList } from '../status.js';
import { quote } from '../uri.js';
import type { Located } from './option-reader.js';
import { Selectable } from './rpc-names.js';
import { selectorMatches } from './selector.js';

/** A rule of a service config. */
export interface VisibilityRule {
  readonly selector: Located<string>;
  /** Who may see it; none: everybody. */
  readonly labels: readonly string[];
}

/** Most names in a message; further ones are counted. */
const MAX_NAMES = 5;

/** The restrictions of a schema: those of annotations, unless a service config says otherwise. */
export class Restrictions {
  private readonly byFile = new Map<FileDescriptor, readonly Restricted[]>();

  /** @param rules of service configs; of several for one name the last one counts */
  constructor(
    private readonly schema: Schema,
    private readonly rules: readonly VisibilityRule[] = [],
  ) {}

  in(file: FileDescriptor): readonly Restricted[] {
    let restricted = this.byFile.get(file);
    if (restricted === undefined) this.byFile.set(file, (restricted = this.read(file)));
    return restricted;
  }

  /** Full names of what callers with these labels may not see. What is inside of it is not named. */
  hiddenFrom(labels: readonly string[]): ReadonlySet<string> {
    const isHidden = ({ labels: needed }: Restricted): boolean => !needed.some((label) => labels.includes(label));
    return new Set(
      this.all()
        .filter(isHidden)
        .map(({ fullName }) => fullName),
    );
  }

  /** A warning for each label that opens nothing: mostly misspelt. */
  warnOfUnused(labels: readonly string[], problems: ProblemList): void {
    const known = new Set(this.all().flatMap((restricted) => restricted.labels));
    for (const label of labels) {
      if (known.has(label)) continue;
      const near = nearestName(label, known);
      problems.warn({
        code: 'unused-label',
        message: `visibility names the label ${quote(label)}, to which nothing is restricted`,
        hint:
          near !== undefined
            ? `did you mean ${near}?`
            : known.size === 0
              ? 'the schema has no restrictions of google.api.visibility'
              : `the labels of the schema are ${[...known].sort().slice(0, 10).join(', ')}`,
      });
    }
  }

  /** An error for each rule that selects nothing: what it is to hide would be shown. */
  check(problems: ProblemList): void {
    if (this.rules.length === 0) return;
    const names = this.schema.files.flatMap(({ declarations }) => declarations.map(({ fullName }) => fullName));
    const known = new Selectable(names);
    for (const { selector } of this.rules) {
      if (known.has(selector.value)) continue;
      const near = nearestName(selector.value, names);
      problems.error({
        code: 'unknown-element',
        message: `visibility: nothing is named ${quote(selector.value)}`,
        place: selector.place,
        hint:
          near !== undefined
            ? `did you mean ${near}?`
            : 'write the full name of a service, RPC, message, field, enum or value (pkg.Enum.VALUE), or pkg.*',
      });
    }
  }

  private all(): readonly Restricted[] {
    return this.schema.files.flatMap((file) => this.in(file));
  }

  private read(file: FileDescriptor): readonly Restricted[] {
    const annotated = file.restricted;
    if (this.rules.length === 0) return annotated;
    const labels = new Map(annotated.map((restricted) => [restricted.fullName, restricted.labels]));
    return file.declarations.flatMap((declared): readonly Restricted[] => {
      const rule = this.ruleFor(declared);
      const needed = rule?.labels ?? labels.get(declared.fullName) ?? [];
      return needed.length === 0 ? [] : [{ ...declared, labels: needed }];
    });
  }

  private ruleFor({ fullName }: DeclaredName): VisibilityRule | undefined {
    return this.rules.findLast(({ selector }) => selectorMatches(selector.value, fullName));
  }
}

/**
 * One warning about everything restricted that is served to everybody: RPCs, and other declarations in the files of their
 * services and in imports of those.
 * @param served may contain an RPC more than once
 */
export function warnOfVisibility(
  schema: Schema,
  restrictions: Restrictions,
  served: Iterable<Pick<MethodDescriptor, 'fullName' | 'service'>>,
  problems: ProblemList,
): void {
  const methods = [...new Map([...served].map((method) => [method.fullName, method])).values()];
  const services = new Set(methods.map(({ service }) => service.fullName));
  const names = new Set(methods.map(({ fullName }) => fullName));
  const files = withImports(schema.services.filter(({ fullName }) => services.has(fullName)).map(({ file }) => file));
  const restricted = [...files].flatMap((file) => restrictions.in(file));
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
    hint: `to hide what is restricted, set visibility: none, or the labels that callers have, such as visibility: [${first.labels[0]!}]`,
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
