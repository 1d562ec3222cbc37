/**
 * `Last-Event-ID`: a client of server-sent events whose connection broke asks again, for the same URL, and says which event was
 * its last. The method option `sse` names the field that takes it, and so the stream goes on where it was.
 */
import type { Codec } from '../../codec/index.js';
import type { RequestHead } from '../../exchange.js';
import { header } from '../../headers.js';
import { type Binding, fieldPathText } from '../../rule/index.js';
import { ConfigError, type FieldViolation } from '../../status.js';
import { quote } from '../../uri.js';
import { takenField, type TakenField } from './given-fields.js';
import type { MessageNode } from './merge.js';

const NAME = 'last-event-id';
const LABEL = `header ${NAME}`;

/** The field that takes the id. */
export interface ResumeBinder {
  /** The oneof members that it sets in this request. */
  taken(head: RequestHead): readonly TakenField[];
  /** Sets the field. What query and body say of it was for the first connection. */
  bind(head: RequestHead, node: MessageNode, violations: FieldViolation[]): void;
}

const NONE: readonly TakenField[] = [];

/**
 * Undefined if the method has no such field.
 * @throws ConfigError if the path sets it
 */
export function compileResume(binding: Binding, codec: Codec): ResumeBinder | undefined {
  const { sse } = binding.options;
  if (sse?.resume === undefined) return undefined;
  const { path, isNext, place } = sse.resume;
  if (binding.variables.some(({ fieldPath }) => fieldPathText(fieldPath) === fieldPathText(path))) {
    throw new ConfigError({
      code: 'field-bound-twice',
      message: `sse.last_event_id: ${quote(fieldPathText(path))} is bound by the path ${binding.template.source}`,
      place,
      rpc: binding.method.fullName,
      hint: 'name another field of the request',
    });
  }
  const field = path.at(-1)!;
  const read = codec.textReader(field)!;
  const parents = path.slice(0, -1);
  const taken = takenField(path, `the ${LABEL}`);
  return {
    taken: (head) => (idOf(head) === undefined ? NONE : taken),
    bind(head, node, violations) {
      const id = idOf(head);
      if (id === undefined) return;
      const text = isNext ? numberAfter(id) : id;
      if (text === undefined) {
        violations.push({ field: LABEL, description: `found ${quote(id)}, expected the id of an event, a number` });
        return;
      }
      const value = { field, read, text, label: LABEL, source: `the ${LABEL}`, replacesBody: true };
      // A second member of its oneof in the query is refused there.
      node.descend(parents).replace(value);
    },
  };
}

/** Clients that have seen no event send none, or an empty one. */
function idOf({ headers }: RequestHead): string | undefined {
  return header(headers, NAME) || undefined;
}

function numberAfter(id: string): string | undefined {
  return /^-?\d{1,20}$/.test(id) ? String(BigInt(id) + 1n) : undefined;
}
