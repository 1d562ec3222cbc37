/**
 * Which of the types that can be sent an `Accept` header asks for (RFC 9110, section 12.5.1): by q, at equal q by the place in
 * the header. Libraries for this weigh the more exact range before the place. Never 406.
 */
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

/** Weighs the `Accept` of unary calls, and keeps what it found for each. */
export class AcceptReader {
  private readonly kept = new Map<string, readonly string[]>();

  /** The types that the client takes, the best first; JSON where it takes none of them. */
  preferred(headers: HeaderFields): readonly string[] {
    const values = headerValues(headers, 'accept');
    const accept = values.length === 1 ? values[0]! : values.join(', ');
    if (accept === '' || accept === '*/*' || accept === JSON_TYPE) return jsonAlone;
    const found = this.kept.get(accept);
    if (found !== undefined) return found;
    const types = rank(accept, offered);
    const preferred = types.length === 0 ? jsonAlone : types;
    if (accept.length <= MAX_KEPT_LENGTH) {
      if (this.kept.size >= MAX_KEPT) this.kept.clear();
      this.kept.set(accept, preferred);
    }
    return preferred;
  }
}

/** The offer that weighs most; undefined where the header is missing or none of them fits. */
export function preferredType(headers: HeaderFields, offers: readonly string[]): string | undefined {
  return rank(headerValues(headers, 'accept').join(','), offers)[0];
}

interface Range {
  /** `text/event-stream`, `text/*`, or all types. */
  readonly type: string;
  readonly q: number;
}

/** The offers that fit, the best first: by q, then by the place in the header, then by their own place. */
function rank(accept: string, offers: readonly string[]): readonly string[] {
  const ranges = parseAccept(accept);
  return offers
    .map((offer) => ({ offer, place: mostSpecific(ranges, offer) }))
    .filter(({ place }) => (ranges[place]?.q ?? 0) > 0)
    .sort((a, b) => ranges[b.place]!.q - ranges[a.place]!.q || a.place - b.place)
    .map(({ offer }) => offer);
}

function parseAccept(accept: string): Range[] {
  return accept.split(',').flatMap((text) => {
    const [type, ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
    if (type === undefined || !type.includes('/')) return [];
    const weight = parameters.find((parameter) => /^q\s*=/.test(parameter));
    const q = weight === undefined ? 1 : Number(weight.replace(/^q\s*=\s*/, '') || NaN);
    return [{ type, q: q >= 0 && q <= 1 ? q : 0 }];
  });
}

/** Index of the range that speaks of a type most exactly; -1 where none does. */
function mostSpecific(ranges: readonly Range[], type: string): number {
  const group = `${type.slice(0, type.indexOf('/'))}/*`;
  for (const wanted of [type, group, '*/*']) {
    const index = ranges.findIndex((range) => range.type === wanted);
    if (index >= 0) return index;
  }
  return -1;
}
