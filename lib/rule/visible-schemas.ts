/** What callers of each gateway may see of one schema. */
import type { MethodDescriptor, Schema } from '../schema/types.js';
import type { ProblemList } from '../status.js';
import { Restrictions, type VisibilityRule, warnOfVisibility } from './visibility.js';

/** What a gateway serves that hides nothing. */
export interface OpenGateway {
  /** Its rules files. */
  readonly paths: readonly string[];
  readonly methods: readonly MethodDescriptor[];
}

/** The visible parts of a schema: one for all gateways that hide the same. */
export class VisibleSchemas {
  /** By the rules files that are used together. */
  private readonly restrictions = new Map<string, Restrictions>();
  /** By the names of what is hidden. */
  private readonly schemas = new Map<string, Schema>();

  /** @param rulesOf what rules files say of visibility */
  constructor(
    private readonly schema: Schema,
    private readonly rulesOf: (paths: readonly string[]) => readonly VisibilityRule[],
    private readonly problems: ProblemList,
  ) {}

  /** @param labels those of the callers; undefined: they may see all */
  schemaFor(labels: readonly string[] | undefined, paths: readonly string[]): Schema {
    if (labels === undefined) return this.schema;
    const restrictions = this.of(paths);
    restrictions.check(this.problems);
    restrictions.warnOfUnused(labels, this.problems);
    const hidden = restrictions.hiddenFrom(labels);
    const key = [...hidden].join();
    const visible = this.schemas.get(key) ?? this.schema.without(hidden);
    this.schemas.set(key, visible);
    return visible;
  }

  /** Warns of what is restricted and served to everybody. */
  warnOfOpen(gateways: readonly OpenGateway[]): void {
    const open = new Map<Restrictions, MethodDescriptor[]>();
    for (const { paths, methods } of gateways) {
      const restrictions = this.of(paths);
      open.set(restrictions, [...(open.get(restrictions) ?? []), ...methods]);
    }
    for (const [restrictions, methods] of open) warnOfVisibility(this.schema, restrictions, methods, this.problems);
  }

  private of(paths: readonly string[]): Restrictions {
    const key = JSON.stringify(paths);
    const found = this.restrictions.get(key) ?? new Restrictions(this.schema, this.rulesOf(paths));
    this.restrictions.set(key, found);
    return found;
  }
}
