/** The option of rules: which requests are checked by them. */
import { enumValue, option } from '../options/index.js';

/** The options of this room. */
export const validateOptions = {
  // Services mostly enforce their own rules, and what is off costs nothing.
  validate: option(enumValue('off', 'rest', 'all'), {
    default: 'off',
    group: 'requests',
    text: 'refuse requests that break the rules of buf.validate, before the service is called: those of REST and WebSocket, or also gRPC, gRPC-Web and Connect',
  }),
};
