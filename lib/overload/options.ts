/** The options of overload. */
import { option, optionalTimeValue, type OptionsOf, timeValue } from '../options/index.js';

export const overloadOptions = {
  max_event_loop_delay: option(optionalTimeValue, {
    default: undefined,
    group: 'limits',
    text: 'how late the event loop may be; while it is later, a growing share of requests is refused with 503, but never /health and gRPC health checks',
    peers: 'Envoy `overload_manager`, action `stop_accepting_requests`',
  }),
  overload_retry_after: option(timeValue, {
    default: 1000,
    group: 'limits',
    text: 'when clients may try again that max_event_loop_delay or max_concurrent_requests refused',
  }),
};

export type OverloadOptions = OptionsOf<typeof overloadOptions>;
