/** Options for reading a schema from a running server. */
import { integerValue, option, optionalTimeValue, type OptionsOf, sizeValue, timeValue } from '../../options/index.js';

/** Limits of reflection. */
export const reflectionOptions = {
  reflection_interval: option(optionalTimeValue, {
    default: 10_000,
    group: 'limits',
    text: 'how often an upstream with reflection is asked whether its schema has changed; none: only at the start',
  }),
  reflection_timeout: option(timeValue, { default: 5000, group: 'limits', text: 'time limit of such a query' }),
  max_reflection_bytes: option(sizeValue(1, 4 * 1024 ** 3), {
    default: 64 * 1024 ** 2,
    group: 'limits',
    text: 'total size of the schema files of an upstream with reflection',
  }),
  max_reflection_files: option(integerValue(1, 1_000_000), {
    default: 10_000,
    group: 'limits',
    text: 'number of schema files, and of services, of an upstream with reflection',
  }),
};

export type ReflectionOptions = OptionsOf<typeof reflectionOptions>;
