/** Refuses headers that many servers cannot tell from others: to CGI and its like, `x_real_ip` is `x-real-ip`. */
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { Policy } from './policy.js';

/** Refuses (400) requests with an underscore in the name of a header. */
export function underscorePolicy(): Policy {
  return {
    name: 'underscores',
    onRequest({ headers }) {
      for (let index = 0; index < headers.length; index += 2) {
        const name = headers[index]!;
        if (!name.includes('_')) continue;
        throw StatusError.http(400, `the name of the header ${quote(name)} has an underscore; write - in its place`, {
          refusedBy: 'refuse_underscores',
        });
      }
    },
  };
}
