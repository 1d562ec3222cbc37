/** Options of a call that do not depend on the client's protocol. */
import {
  booleanValue,
  headerNamesValue,
  namesValue,
  option,
  type OptionsOf,
  optionalTimeValue,
  sizeValue,
} from '../options/index.js';
import { isTrustedProxy } from './caller.js';

/** Largest Buffer in Node 20. */
export const MAX_BUFFER_BYTES = 4 * 1024 ** 3;

const trustedProxiesValue = {
  ...namesValue(
    'none, or addresses and blocks of them, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8, or unix',
    isTrustedProxy,
  ),
  placeholder: 'ADDRESS,…',
};

/** Options of calls, whichever protocol the client speaks. */
export const callOptions = {
  debug_info: option(booleanValue, { default: false, group: 'answers', text: 'show google.rpc.DebugInfo details' }),
  identity_headers: option(headerNamesValue, {
    default: [],
    group: 'access',
    text: 'headers that identify a client. Only the proxy may set them; they are removed from client requests; a name that ends in * is a prefix',
  }),
  trusted_proxies: option(trustedProxiesValue, {
    default: [],
    group: 'access',
    text: 'proxies in front of this one whose x-forwarded-for, -proto and -host are trusted; unix means any Unix socket',
    peers: 'Envoy `xff_trusted_cidrs`',
  }),
  default_deadline: option(optionalTimeValue, {
    default: undefined,
    group: 'limits',
    text: 'deadline of calls for which the client sets none',
  }),
  max_deadline: option(optionalTimeValue, {
    default: undefined,
    group: 'limits',
    text: 'longest deadline that a client may set',
  }),
  max_body_bytes: option(sizeValue(1, MAX_BUFFER_BYTES), {
    default: 4 * 1024 ** 2,
    group: 'limits',
    text: 'largest request body',
    peers: 'Envoy `max_request_body_size`',
  }),
};

export type CallOptions = OptionsOf<typeof callOptions>;
