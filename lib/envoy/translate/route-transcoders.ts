/** Transcoders in `typed_per_filter_config` → `transcoders` of a listener, which its routes name. */
import { isDeepStrictEqual } from 'node:util';
import type { Plain } from '../../options/index.js';
import { type EnvoyReader, placed } from '../describe.js';
import { TRANSCODER } from '../keys/filters.js';
import type { NamedFilter } from './request-filters.js';
import { type FilterLevel, type RouteSaying, sayingOf } from './filter-levels.js';
import { type Transcoder, translateTranscoders, type TranslatedTranscoders, usualOptions } from './transcoder.js';

type PlainMap = Record<string, Plain>;

/** A filter of the connection manager. */
interface NamedTranscoder {
  readonly name: string | undefined;
  readonly value: Transcoder;
  readonly isDisabled: boolean;
}

/** The transcoders of one connection manager: its own, and those of its routes. */
export class RouteTranscoders {
  /** Those of routes that say nothing. */
  readonly usual: TranslatedTranscoders;
  private readonly filters: readonly NamedTranscoder[];
  private readonly named = new Map<string, PlainMap>();
  private readonly sets = new Set<string>();

  constructor(
    filters: readonly NamedFilter[],
    private readonly bufferBytes: number,
    private readonly reader: EnvoyReader,
  ) {
    this.filters = filters.flatMap(({ name, type, value, isDisabled }) =>
      type === TRANSCODER ? [{ name, value: value, isDisabled }] : [],
    );
    this.usual = this.translated(this.filters.flatMap(({ value, isDisabled }) => (isDisabled ? [] : [value])));
  }

  /** What routes name. */
  get settings(): PlainMap {
    return this.named.size === 0 ? {} : { transcoders: Object.fromEntries(this.named) };
  }

  get descriptorSets(): readonly string[] {
    return [...new Set([...this.usual.descriptorSets, ...this.sets])];
  }

  /**
   * The member `transcoder` of a route; none if the listener's own counts.
   * @param levels the outermost first; the innermost that says something of a filter counts
   */
  memberOf(levels: readonly FilterLevel[]): PlainMap {
    if (this.filters.length === 0) return {};
    const own = this.filters.map((filter) => ({ filter, saying: innermost(filter, levels) }));
    if (own.every(({ saying }) => saying === undefined)) return {};
    const active = own.flatMap(({ filter, saying }) => activeOf(filter, saying));
    const { options, descriptorSets } = this.translated(active);
    if (isDeepStrictEqual(options, this.usual.options)) return {};
    const { services } = options;
    if ((services as readonly string[]).length === 0) return { transcoder: false };
    for (const set of descriptorSets) this.sets.add(set);
    return { transcoder: this.nameOf({ ...usualOptions, ...options }, active[0]!) };
  }

  private translated(active: readonly Transcoder[]): TranslatedTranscoders {
    return translateTranscoders(active, this.bufferBytes, this.reader);
  }

  private nameOf(settings: PlainMap, { at }: Transcoder): string {
    const known = [...this.named].find(([, other]) => isDeepStrictEqual(other, settings));
    if (known !== undefined) return known[0];
    const [service] = settings['services'] as readonly string[];
    let name = service!;
    for (let count = 2; this.named.has(name); count++) name = `${service!} ${count}`;
    this.named.set(name, placed(settings, at, this.reader));
    return name;
  }
}

function innermost({ name }: NamedTranscoder, levels: readonly FilterLevel[]): RouteSaying | undefined {
  const given = levels.flatMap(({ typed_per_filter_config: list = [] }) => list.filter((one) => one.name === name));
  const last = given.at(-1);
  return last && sayingOf(last.value);
}

/** @param saying of a route, in place of what the filter does elsewhere */
function activeOf({ value, isDisabled }: NamedTranscoder, saying: RouteSaying | undefined): Transcoder[] {
  if (saying === undefined) return isDisabled ? [] : [value];
  if (saying === 'on') return [value];
  return saying !== 'off' && saying.type === TRANSCODER ? [saying.value] : [];
}
