/** An `Exchange` whose answer carries what CORS says of its request, whoever writes that answer. */
import { type Cors, isPreflight } from '../cors/index.js';
import type { Exchange, ResponseHead } from '../exchange.js';
import { withoutFields } from '../headers.js';
import { DelegateExchange } from './delegate-exchange.js';

/** An exchange whose answer says which pages may read it. */
export class CorsExchange extends DelegateExchange {
  constructor(
    inner: Exchange,
    private readonly cors: Cors,
    /** Fields of the proxy itself that pages may read. */
    private readonly ownFields?: readonly string[],
  ) {
    super(inner);
  }

  /** Sends the head with our CORS fields in place of those that a service or the fallback wrote. */
  override respond(head: ResponseHead): void {
    // The answer to a preflight has them already.
    const isAnswered = head.headers.includes('access-control-allow-methods') && isPreflight(this.method, this.headers);
    if (isAnswered) return super.respond(head);
    const own = withoutFields(head.headers, (name) => name.startsWith('access-control-'));
    super.respond({ ...head, headers: [...own, ...this.cors.responseHeaders(this.headers, this.ownFields)] });
  }
}
