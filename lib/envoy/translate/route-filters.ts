/** `typed_per_filter_config` → `filters` of virtual hosts and routes. */
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, placed } from '../describe.js';
import {
  CORS_POLICY,
  EXT_AUTHZ,
  EXT_AUTHZ_ROUTE,
  FAULT,
  FILTER_CONFIG,
  JWT,
  JWT_ROUTE,
  RATE_LIMIT,
  RBAC,
  RBAC_ROUTE,
  TRANSCODER,
} from '../keys/filters.js';
import { type FilterLevel, type Given, type RouteSaying, sayingOf } from './filter-levels.js';
import { translateAuthzRoute } from './ext-authz.js';
import { type NamedFilter, translateFilter } from './request-filters.js';

type PlainMap = Record<string, Plain>;
/** What is off until a route says otherwise, as a level around all others. */
export function offAtFirst(filters: readonly NamedFilter[]): FilterLevel {
  const given = filters.flatMap(({ name, type, value, isDisabled }): Given[] => {
    if (name === undefined || !isDisabled || !configurable.includes(type)) return [];
    const { at } = value;
    return [{ name, value: { type: FILTER_CONFIG, value: { disabled: true, at }, at }, at }];
  });
  return { typed_per_filter_config: given };
}

/** What routes may speak of. */
export interface SpokenFilters {
  /** Those of the connection manager. */
  readonly filters: readonly NamedFilter[];
  /** The name of the CORS filter, whose policies are translated elsewhere. */
  readonly cors: string | undefined;
  /** What clients say of their address is not believed. */
  readonly isEdge: boolean;
}

/**
 * What levels say of filters, as a member `filters`; none if they say nothing.
 * @param levels the outermost first
 * @param outer levels around them, which are translated elsewhere
 */
export function routeFiltersOf(
  levels: readonly FilterLevel[],
  outer: readonly FilterLevel[],
  spoken: SpokenFilters,
  reader: EnvoyReader,
): PlainMap {
  const all = [...outer, ...levels];
  const entries = levels.flatMap(({ typed_per_filter_config: given = [] }) =>
    given.flatMap((one) => {
      const translated = settingsOf(one, all, spoken, reader);
      return translated === undefined ? [] : [[one.name, placed(translated, one.value.at, reader)] as const];
    }),
  );
  return entries.length === 0 ? {} : { filters: Object.fromEntries(entries) };
}

function settingsOf(
  { name, value }: Given,
  levels: readonly FilterLevel[],
  { filters, cors, isEdge }: SpokenFilters,
  reader: EnvoyReader,
): PlainMap | undefined {
  const filter = filters.find((one) => one.name === name);
  if (filter === undefined) {
    const names = filters.flatMap((one) => one.name ?? []).join(', ');
    cannot(reader, value.at, 'none of http_filters has this name, so it counts for nothing', `names are: ${names}`);
    return undefined;
  }
  const saying = sayingOf(value);
  const own = ownSettings(filter, saying, { levels, isEdge }, reader);
  if (own !== undefined) return own;
  const isElsewhere =
    (filter.type === TRANSCODER && isOf(saying, TRANSCODER)) || (name === cors && isOf(saying, CORS_POLICY));
  if (isElsewhere) return undefined;
  const hint = 'write it in http_filters, and another listener for routes that need another one';
  cannot(reader, value.at, 'the filter cannot be configured anew for a route', hint);
  return undefined;
}

/** The transcoder may be switched on and off, too. */
function isOf(saying: RouteSaying, type: typeof TRANSCODER | typeof CORS_POLICY): boolean {
  return typeof saying === 'string' ? type === TRANSCODER : saying.type === type;
}

const configurable: readonly string[] = [JWT, EXT_AUTHZ, RATE_LIMIT, FAULT, RBAC];
const off: PlainMap = { disabled: true };

interface RouteSurroundings extends Pick<SpokenFilters, 'isEdge'> {
  readonly levels: readonly FilterLevel[];
}

/** Undefined if a filter of this type has no such settings. */
function ownSettings(
  { name, type }: NamedFilter,
  saying: RouteSaying,
  { levels, isEdge }: RouteSurroundings,
  reader: EnvoyReader,
): PlainMap | undefined {
  if (!configurable.includes(type)) return undefined;
  if (saying === 'off') return off;
  if (saying === 'on') return { disabled: false };
  if (type === EXT_AUTHZ && saying.type === EXT_AUTHZ_ROUTE) {
    const given = levels.flatMap(({ typed_per_filter_config: list = [] }) => list);
    const all = given.flatMap((one) => {
      const other = one.name === name ? sayingOf(one.value) : 'on';
      return typeof other !== 'string' && other.type === EXT_AUTHZ_ROUTE ? [other.value] : [];
    });
    return translateAuthzRoute(all.slice(0, all.indexOf(saying.value) + 1));
  }
  if (type === JWT && saying.type === JWT_ROUTE) {
    const { disabled, requirement_name: requirement } = saying.value;
    return disabled === true || requirement === undefined ? off : { requirement };
  }
  if (type === RBAC && saying.type === RBAC_ROUTE) {
    const { rbac } = saying.value as { rbac?: unknown };
    return (rbac === undefined ? undefined : translateFilter(RBAC, rbac, isEdge, reader)) ?? off;
  }
  if (saying.type !== type) return undefined;
  return translateFilter(type, saying.value, isEdge, reader) ?? off;
}
