/** `typed_per_filter_config`: what routes, virtual hosts and the configuration of all say of filters. */
import type { AnyOf, NamedValue } from '../describe.js';
import { FILTER_CONFIG, type routeFilterTypes } from '../keys/filters.js';

export type Given = NamedValue<AnyOf<typeof routeFilterTypes>>;

/** A route, a virtual host, or the configuration of all. */
export interface FilterLevel {
  readonly typed_per_filter_config?: readonly Given[];
}

/** What a level says of a filter: it is off, it is on as it stands, or it has another configuration. */
export type RouteSaying = 'off' | 'on' | Given['value'];

/** What is in a FilterConfig, if it is one. */
export function sayingOf(given: Given['value']): RouteSaying {
  if (given.type !== FILTER_CONFIG) return given;
  const { disabled, config } = given.value as { disabled?: boolean; config?: Given['value'] };
  return disabled === true ? 'off' : (config ?? 'on');
}
