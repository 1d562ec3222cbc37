/** `Accept` of unary calls: which of the forms that an answer can have the client likes best. Never 406. */
import Negotiator from 'negotiator';
import { headerValues, type HeaderFields } from '../headers.js';

/** The media types of unary answers; where the client does not care, the first. */
export const JSON_TYPE = 'application/json';
export const PROTO_TYPE = 'application/x-protobuf';
export const TEXT_TYPE = 'text/plain';

const offered = [JSON_TYPE, PROTO_TYPE, TEXT_TYPE];
const jsonAlone: readonly string[] = [JSON_TYPE];

/** Clients send the same few again and again. */
const MAX_KEPT = 200;
const MAX_KEPT_LENGTH = 300;

/** Weighs `Accept` headers, and keeps what it found for each. */
export class AcceptReader {
  private readonly kept = new Map<string, readonly string[]>();

  /** The types that the client takes, the best first; JSON where it takes none of them. */
  preferred(headers: HeaderFields): readonly string[] {
    const values = headerValues(headers, 'accept');
    const accept = values.length === 1 ? values[0]! : values.join(', ');
    if (accept === '' || accept === '*/*' || accept === JSON_TYPE) return jsonAlone;
    const found = this.kept.get(accept);
    if (found !== undefined) return found;
    const types = new Negotiator({ headers: { accept } }).mediaTypes(offered);
    const preferred = types.length === 0 ? jsonAlone : types;
    if (accept.length <= MAX_KEPT_LENGTH) {
      if (this.kept.size >= MAX_KEPT) this.kept.clear();
      this.kept.set(accept, preferred);
    }
    return preferred;
  }
}
