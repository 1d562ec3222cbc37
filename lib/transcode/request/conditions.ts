/**
 * If-Match and If-None-Match of requests that change something (`conditional_requests`). The service compares, because nobody else
 * can do so before it acts: a condition that the request message cannot express is refused.
 */
import type { Codec } from '../../codec/index.js';
import type { RequestHead } from '../../exchange.js';
import { header } from '../../headers.js';
import type { Binding } from '../../rule/index.js';
import { Code, type FieldViolation } from '../../status.js';
import { quote } from '../../uri.js';
import { isTagList, requestTagField, tagsOf, textOfTag, type TagForm } from '../conditional.js';
import type { TranscodeOptions } from '../options.js';
import type { MessageNode } from './merge.js';

/** What a request demands: that the resource is the one named, or that there is none yet. */
export type Condition = 'same' | 'absent';

/** Binds the condition of a request. Undefined: it has none. */
export type ConditionBinder = (
  head: RequestHead,
  node: MessageNode,
  violations: FieldViolation[],
) => Condition | undefined;

/** Undefined if conditions are left to the services, as metadata. */
export function compileConditions(
  binding: Binding,
  codec: Codec,
  { conditionalRequests: form }: Pick<TranscodeOptions, 'conditionalRequests'>,
): ConditionBinder | undefined {
  if (form === 'off') return undefined;
  const bindsItself = (name: string): boolean =>
    binding.options.headers.some((bound) => bound.source === 'header' && bound.name === name);
  const bindTag = bindsItself('if-match') ? undefined : tagBinder(binding, codec, form);
  const refuseExisting = bindsItself('if-none-match') ? undefined : absenceBinder(binding);
  return (head, node, violations) => {
    if (safeMethods.has(head.method)) return undefined;
    const { headers } = head;
    const same = bindTag !== undefined && header(headers, 'if-match') !== undefined;
    if (same) bindTag(head, node, violations);
    if (refuseExisting === undefined || header(headers, 'if-none-match') === undefined)
      return same ? 'same' : undefined;
    refuseExisting(head, node, violations);
    return 'absent';
  };
}

/** The HTTP status of a call that failed because its condition did not hold; undefined if that was not the reason. */
export function preconditionStatus(condition: Condition | undefined, code: number): number | undefined {
  const isFailed =
    (condition === 'same' && code === Code.ABORTED) || (condition === 'absent' && code === Code.ALREADY_EXISTS);
  return isFailed ? 412 : undefined;
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'QUERY', 'OPTIONS']);

type Binder = (head: RequestHead, node: MessageNode, violations: FieldViolation[]) => void;

function tagBinder(binding: Binding, codec: Codec, form: TagForm): Binder {
  const label = 'header if-match';
  const path = requestTagField(binding);
  const field = path?.at(-1);
  const read = field && codec.textReader(field);
  return ({ headers }, node, violations) => {
    const refuse = (description: string): void => void violations.push({ field: label, description });
    if (!isTagList(headers, 'if-match')) {
      return refuse(
        `found ${quote(header(headers, 'if-match')!)}, expected "*" or an entity tag in quotes: If-Match: "x"`,
      );
    }
    const tags = [...new Set(tagsOf(headers, 'if-match'))];
    const [tag] = tags;
    // Any version will do, as far as there is one; the service says if there is none.
    if (tag === undefined || tag === '*') return;
    if (path === undefined || field === undefined || read === undefined) {
      return refuse(`${routeText(binding)} has no field "etag", so no service could compare it; leave it out`);
    }
    if (tags.length > 1)
      return refuse(`found ${tags.length} entity tags, expected one: the field "etag" takes no more`);
    if (form === 'bare' && tag.startsWith('W/')) {
      return refuse(`found ${quote(tag)}, expected a strong entity tag, without W/: a weak one never matches`);
    }
    const text = textOfTag(tag, form);
    const parent = node.descend(path.slice(0, -1));
    const given = parent.bound(field);
    if (given === undefined) parent.add({ field, read, text, label, source: `the ${label}` });
    else if (given.text !== text) refuse(`${given.label} has another value (${quote(given.text)}); give one of them`);
  };
}

function absenceBinder(binding: Binding): Binder {
  // AIP-133: what creates is called so, and fails if the resource is there.
  const creates = binding.method.name.startsWith('Create');
  return ({ headers }, _node, violations) => {
    if (creates && isTagList(headers, 'if-none-match') && tagsOf(headers, 'if-none-match').includes('*')) return;
    const expected = creates ? 'expected "*"' : 'which no service could compare; leave it out';
    const found = quote(header(headers, 'if-none-match')!);
    const description = `found ${found} for ${routeText(binding)}, ${expected}`;
    violations.push({ field: 'header if-none-match', description });
  };
}

function routeText({ httpMethod, template }: Binding): string {
  return `${httpMethod} ${template.source}`;
}
