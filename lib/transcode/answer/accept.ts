/**
 * Content negotiation by `Accept` (RFC 9110, section 12.5.1): the type with the highest q; at equal q, the one that the header
 * names first. (Libraries for this prefer the more specific range instead.) It never fails: there is no 406.
 */
import { headerValues, type HeaderFields } from '../../headers.js';

/** The media types of unary answers; JSON if the client accepts any. */
export const JSON_TYPE = 'application/json';
export const PROTO_TYPE = 'application/x-protobuf';
export const TEXT_TYPE = 'text/plain';

const offered = [JSON_TYPE, PROTO_TYPE, TEXT_TYPE];
const jsonAlone: readonly string[] = [JSON_TYPE];

/** How many `Accept` values are cached: clients send the same few again and again. */
const MAX_KEPT = 200;
const MAX_KEPT_LENGTH = 300;

/** Ranks the types of unary answers by `Accept`, with a cache. */
export class AcceptReader {
  private readonly kept = new Map<string, readonly string[]>();

  /** @param isIgnored whatever the client accepts, it is JSON */
  constructor(private readonly isIgnored = false) {}

  /** The types that the client accepts, the preferred one first; JSON if it accepts none of ours. */
  preferred(headers: HeaderFields): readonly string[] {
    if (this.isIgnored) return jsonAlone;
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

/** The preferred one of some types; undefined if the header is missing or accepts none of them. */
export function preferredType(headers: HeaderFields, offers: readonly string[]): string | undefined {
  return rank(headerValues(headers, 'accept').join(','), offers)[0];
}

const HTML = 'text/html';
const besideHtml = [
  HTML,
  JSON_TYPE,
  PROTO_TYPE,
  TEXT_TYPE,
  'application/x-ndjson',
  'text/event-stream',
  'application/json-seq',
];

/** What programs in Java send unless they are told otherwise; browsers also name application/xhtml+xml. */
const JAVA_DEFAULT = /^text\/html, image\/gif, image\/jpeg, /;

/** True if the client names text/html and prefers it to all that a program would read, as browsers do. */
export function prefersHtml(headers: HeaderFields): boolean {
  const accept = headerValues(headers, 'accept').join(',');
  if (!/\btext\/html\b/i.test(accept) || JAVA_DEFAULT.test(accept)) return false;
  return rank(accept, besideHtml)[0] === HTML;
}

interface Range {
  /** `text/event-stream`, `text/*`, or all types. */
  readonly type: string;
  readonly q: number;
}

/** The accepted offers, sorted by q, then by the order of the header, then by the order of the offers. */
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

/** Index of the most specific range that includes a type; -1 if none does. */
function mostSpecific(ranges: readonly Range[], type: string): number {
  const group = `${type.slice(0, type.indexOf('/'))}/*`;
  for (const wanted of [type, group, '*/*']) {
    const index = ranges.findIndex((range) => range.type === wanted);
    if (index >= 0) return index;
  }
  return -1;
}
