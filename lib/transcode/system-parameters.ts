/**
 * System parameters (https://cloud.google.com/apis/docs/system-parameters): query parameters of every route that choose the
 * form of the answer. The `$` may be left out if the request message has no field of that name.
 */
import type { MessageDescriptor } from '../schema/types.js';
import { nearestName, type FieldViolation } from '../status.js';
import { quote } from '../uri.js';

/** Values of `$alt`; `sse` and `ndjson` are for streams. */
export type Alt = 'json' | 'sse' | 'ndjson' | 'proto' | 'text';

/** The system parameters of one request; undefined if not given. */
export interface SystemParameters {
  readonly alt: Alt | undefined;
  /** `json;enum-encoding=int`. */
  readonly enumsAsInts: boolean;
  /** The value of `$fields`, never ''. */
  readonly fields: string | undefined;
  readonly prettyPrint: boolean | undefined;
}

/** Of a request that has none. */
export const noSystemParameters: SystemParameters = Object.freeze({
  alt: undefined,
  enumsAsInts: false,
  fields: undefined,
  prettyPrint: undefined,
});

/** Canonical names; each may be written without its `$`. */
const names = ['$alt', '$fields', '$text', '$prettyPrint', '$apiVersion', '$.xgafv'] as const;
type Name = (typeof names)[number];

const alts: ReadonlySet<string> = new Set<Alt>(['json', 'sse', 'ndjson', 'proto', 'text']);
const altWords = ['json', 'json;enum-encoding=int', 'proto', 'text', 'sse', 'ndjson'];

/** The spellings that one route accepts. */
export type SystemNames = ReadonlyMap<string, Name>;

/** A name without `$` belongs to the field of that name if the request message has one. */
export function systemNames(input: MessageDescriptor): SystemNames {
  const spellings = new Map<string, Name>();
  for (const name of names) {
    spellings.set(name, name);
    const plain = name.slice(1);
    if (input.field(plain) === undefined) spellings.set(plain, name);
  }
  return spellings;
}

/** Notes that `$fields` cannot select from an answer of raw bytes. */
export function refuseFields({ fields }: SystemParameters, violations: FieldViolation[]): void {
  if (fields === undefined) return;
  violations.push({ field: '$fields', description: 'the answer of this route is raw bytes, which have no fields' });
}

/** Collects the system parameters of one query. */
export class SystemParameterReader implements SystemParameters {
  alt: Alt | undefined;
  enumsAsInts = false;
  fields: string | undefined;
  prettyPrint: boolean | undefined;
  private readonly seen = new Map<Name, string>();

  constructor(
    private readonly spellings: SystemNames,
    private readonly violations: FieldViolation[],
  ) {}

  /** True for the name of a system parameter. */
  knows(spelling: string): boolean {
    return this.spellings.has(spelling);
  }

  /** @param text the value; undefined if the parameter has no `=`. */
  add(spelling: string, text: string | undefined): void {
    const name = this.spellings.get(spelling)!;
    const first = this.seen.get(name);
    if (first !== undefined) {
      this.fail(
        spelling,
        `given more than once${first === spelling ? ', expected one value' : ` (also as ${quote(first)})`}`,
      );
      return;
    }
    if (this.contradicts(name, spelling)) return;
    this.seen.set(name, spelling);
    if (name === '$alt') this.readAlt(spelling, text ?? '');
    else if (name === '$fields') this.readFields(spelling, text ?? '');
    else if (name === '$text') this.readText(spelling, text ?? '');
    else if (name === '$prettyPrint') this.readPrettyPrint(spelling, text ?? 'true');
  }

  /** `text=name` says both `fields=name` and `alt=text`. */
  private contradicts(name: Name, spelling: string): boolean {
    const others: readonly Name[] =
      name === '$text' ? ['$alt', '$fields'] : ['$alt', '$fields'].includes(name) ? ['$text'] : [];
    const other = others.map((known) => this.seen.get(known)).find((seen) => seen !== undefined);
    if (other === undefined) return false;
    this.fail(
      spelling,
      `${quote(other)} is given too, and text=name is short for fields=name&alt=text; write one of both`,
    );
    return true;
  }

  private readText(spelling: string, text: string): void {
    if (text === '') return this.fail(spelling, 'found "", expected the path of a field, such as name or items.name');
    this.alt = 'text';
    this.fields = text;
  }

  private readAlt(spelling: string, text: string): void {
    if (text === 'json;enum-encoding=int') {
      this.alt = 'json';
      this.enumsAsInts = true;
    } else if (alts.has(text)) {
      this.alt = text as Alt;
    } else {
      const near = nearestName(text, altWords);
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      this.fail(spelling, `found ${quote(text)}, expected one of ${altWords.join(', ')}${hint}`);
    }
  }

  private readFields(spelling: string, text: string): void {
    if (text !== '') this.fields = text;
    else this.fail(spelling, 'found "", expected field paths with commas between them, such as name,spec.cpus');
  }

  private readPrettyPrint(spelling: string, text: string): void {
    if (text === 'true' || text === '1') this.prettyPrint = true;
    else if (text === 'false' || text === '0') this.prettyPrint = false;
    else this.fail(spelling, `found ${quote(text)}, expected true, false, 1 or 0`);
  }

  private fail(field: string, description: string): void {
    this.violations.push({ field, description });
  }
}
