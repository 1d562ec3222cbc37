/** `typed_per_filter_config` → `filters` of virtual hosts and routes. */
import type { Plain } from '../../options/index.js';
import { type AnyOf, cannot, type EnvoyReader, type NamedValue, placed } from '../describe.js';
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
  type routeFilterTypes,
} from '../keys/filters.js';
import { translateAuthzRoute } from './ext-authz.js';
import { type NamedFilter, translateFilter } from './request-filters.js';

type PlainMap = Record<string, Plain>;
type Given = NamedValue<AnyOf<typeof routeFilterTypes>>;

/** A route, a virtual host, or the configuration of all. */
export interface FilterLevel {
  readonly typed_per_filter_config?: readonly Given[];
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
  if (name === cors && value.type === CORS_POLICY) return undefined;
  if (filter.type === EXT_AUTHZ && value.type === EXT_AUTHZ_ROUTE) {
    const given = levels.flatMap(({ typed_per_filter_config: list = [] }) => list);
    const own = given.flatMap((one) =>
      one.name === name && one.value.type === EXT_AUTHZ_ROUTE ? [one.value.value] : [],
    );
    return translateAuthzRoute(own.slice(0, own.indexOf(value.value) + 1));
  }
  const own = ownSettings(filter.type, value, isEdge, reader);
  if (own !== undefined) return own;
  const hint = 'write it in http_filters, and another listener for routes that need another one';
  cannot(reader, value.at, 'the filter cannot be configured anew for a route', hint);
  return undefined;
}

const configurable: readonly string[] = [JWT, EXT_AUTHZ, RATE_LIMIT, FAULT, RBAC];
const off: PlainMap = { disabled: true };

/** Undefined if a filter of this type has no such settings. */
function ownSettings(type: string, value: Given['value'], isEdge: boolean, reader: EnvoyReader): PlainMap | undefined {
  if (!configurable.includes(type)) return undefined;
  if (value.type === FILTER_CONFIG) return (value.value as { disabled?: boolean }).disabled === true ? off : undefined;
  if (type === JWT && value.type === JWT_ROUTE) {
    const { disabled, requirement_name: requirement } = value.value;
    return disabled === true || requirement === undefined ? off : { requirement };
  }
  if (type === RBAC && value.type === RBAC_ROUTE) {
    const { rbac } = value.value as { rbac?: unknown };
    return (rbac === undefined ? undefined : translateFilter(RBAC, rbac, isEdge, reader)) ?? off;
  }
  if (value.type !== type) return undefined;
  return translateFilter(type, value.value, isEdge, reader) ?? off;
}
