/** What steers the reverse proxy to an HTTP/1.1 server. */
import { option, timeValue, urlValue } from '../options/index.js';

/** The options of the fallback. */
export const fallbackOptions = {
  fallback: option(urlValue, {
    default: undefined,
    group: 'routes',
    text: 'HTTP/1.1 server for requests that no route matches, such as http://127.0.0.1:3000',
  }),
  fallback_timeout: option(timeValue, {
    default: 60_000,
    group: 'limits',
    text: 'time for the fallback server to begin its answer, and to take the next bytes of an upload',
  }),
};
