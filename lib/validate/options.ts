/** The options of rules: which there are, and which requests are checked by them. */
import { booleanValue, enumValue, option, type OptionsOf } from '../options/index.js';

/** The options of this room. */
export const validateOptions = {
  // Services mostly enforce their own rules, and what is off costs nothing.
  validate: option(enumValue('off', 'rest', 'all'), {
    default: 'off',
    group: 'requests',
    text: 'refuse requests that break the rules of buf.validate, before the service is called: those of REST and WebSocket, or also gRPC, gRPC-Web and Connect',
  }),
  // Other protocols than REST and WebSocket only with `validate: all`.
  validate_required: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'refuse requests without a field that google.api.field_behavior marks REQUIRED',
  }),
  validate_formats: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'refuse strings without the format that google.api.field_info gives them: UUID4, IPV4, IPV6, IPV4_OR_IPV6',
  }),
};

/** The values of these options. */
export type ValidateOptions = OptionsOf<typeof validateOptions>;
