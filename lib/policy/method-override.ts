/**
 * `X-HTTP-Method-Override`, for clients that know GET and POST alone (BusyBox wget). Honoured on POST only: on a GET it
 * would let a link or an image write.
 */
import { header, isHeaderName } from '../headers.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { Policy } from './policy.js';

/** Replaces the method of a POST by what its `X-HTTP-Method-Override` says. */
export function methodOverridePolicy(): Policy {
  return {
    name: 'method-override',
    mayChangeMethod: ({ method, headers }) =>
      method === 'POST' && header(headers, 'x-http-method-override') !== undefined,
    onRequest(request) {
      if (request.method !== 'POST') return;
      const wanted = header(request.headers, 'x-http-method-override')?.trim();
      if (wanted === undefined || wanted === '') return;
      if (!isHeaderName(wanted) || wanted.toUpperCase() === 'CONNECT') {
        throw StatusError.badField(
          'header x-http-method-override',
          `found ${quote(wanted)}, expected a method such as PUT, PATCH or DELETE`,
        );
      }
      request.method = wanted.toUpperCase();
    },
  };
}
