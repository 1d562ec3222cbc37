/**
 * Conditional requests (https://www.rfc-editor.org/rfc/rfc9110#section-13) by the string field `etag` that requests and resources
 * have after AIP-154 (https://google.aip.dev/154): which field that is, and how its text becomes an entity tag and back.
 */
import { header, headerValues, type HeaderFields } from '../headers.js';
import type { Binding, FieldPath } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import type { TranscodeOptions } from './options.js';

/** How fields hold entity tags: with their quotes, as AIP-154 says, or without. */
export type TagForm = Exclude<TranscodeOptions['conditionalRequests'], 'off'>;

const NAME = 'etag';

/**
 * The field of the request that takes the tag of If-Match: of the request itself, else of the resource that is the body. Undefined
 * if there is none, or if a rule or an option sets it already.
 */
export function requestTagField({ method, body, variables, options }: Binding): FieldPath | undefined {
  const candidates: FieldPath[] = [];
  const own = tagFieldOf(method.input);
  if (own !== undefined) candidates.push([own]);
  const resource = body.kind === 'field' ? body.path.at(-1)! : undefined;
  const inside = resource?.repeated === false ? tagFieldOf(resource.message) : undefined;
  if (inside !== undefined && body.kind === 'field') candidates.push([...body.path, inside]);
  const bound = [...variables.map(({ fieldPath }) => fieldPath), ...options.headers.map(({ path }) => path)];
  return candidates.find((path) => {
    const isChoice = path.some(({ oneof }) => oneof !== undefined);
    return !isChoice && !bound.some((other) => other.at(-1) === path.at(-1) && other.length === path.length);
  });
}

/** The field of the answer that has the tag: of what is printed, else of the whole message. Undefined if there is none. */
export function answerTagField({ method, responseBody = [] }: Binding): FieldPath | undefined {
  const printed = responseBody.at(-1);
  const inside = printed?.repeated === false ? tagFieldOf(printed.message) : undefined;
  if (inside !== undefined) return [...responseBody, inside];
  const own = tagFieldOf(method.output);
  return own === undefined ? undefined : [own];
}

function tagFieldOf(message: MessageDescriptor | undefined): FieldDescriptor | undefined {
  return message?.fields.find(({ name, type, repeated }) => name === NAME && type === 'string' && !repeated);
}

const TAG = /^(?:W\/)?"[\x21\x23-\x7e]*"$/;
const BARE = /^[\x21\x23-\x7e]+$/;

/** The text of a field as an entity tag; undefined if it is none. */
export function tagOfText(text: string, form: TagForm): string | undefined {
  if (form === 'quoted') return TAG.test(text) ? text : undefined;
  return BARE.test(text) ? `"${text}"` : undefined;
}

/** An entity tag as the text of a field. */
export function textOfTag(tag: string, form: TagForm): string {
  return form === 'quoted' ? tag : tag.slice(1, -1);
}

/** The tags of all lines of a header, as written; `*` is one of them. What is no tag is left out. */
export function tagsOf(headers: HeaderFields, name: 'if-match' | 'if-none-match'): string[] {
  return headerValues(headers, name).flatMap((line) =>
    line.trim() === '*' ? ['*'] : Array.from(line.matchAll(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g), ([tag]) => tag),
  );
}

/** True if a header is `*` or a list of entity tags and nothing else, or is not there. */
export function isTagList(headers: HeaderFields, name: 'if-match' | 'if-none-match'): boolean {
  if (header(headers, name) === undefined) return true;
  const lines = headerValues(headers, name);
  if (lines.length === 1 && lines[0]!.trim() === '*') return true;
  return lines.every((line) =>
    /^[ \t]*(?:W\/)?"[\x21\x23-\x7e]*"[ \t]*(?:,[ \t]*(?:W\/)?"[\x21\x23-\x7e]*"[ \t]*)*$/.test(line),
  );
}
