/**
 * `X-HTTP-Method-Override`, for clients that can only send GET and POST (BusyBox wget). Only POST is overridden: on a
 * GET, a link or an image could write.
 */
import { header, isHeaderName } from '../headers.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { Policy } from './policy.js';

/** Replaces the method of a POST by that of `X-HTTP-Method-Override`. */
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
