/** `local_replies`: what becomes of answers that the proxy makes itself, be it an error or a direct response. */
import { type CommandContext, compileFormat, type LogFormat } from '../commands.js';
import { type HeaderFields, withoutFields } from '../headers.js';
import { compileChanges } from './header-changes.js';
import type { LocalRepliesSettings, LocalReplyRuleSettings } from './local-reply-options.js';
import { compileHeader } from './match.js';
import type { RoutedRequest } from './request.js';

/** An answer of the proxy's own. */
export interface OwnReply {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Buffer | undefined;
}

/** @param context of the request */
export type OwnReplyChange = (reply: OwnReply, request: RoutedRequest, context: CommandContext) => OwnReply;

interface Rule {
  readonly takes: (status: number, request: RoutedRequest) => boolean;
  readonly change: OwnReplyChange;
}

/** The first rule that takes an answer changes it; the form of the others is the common one. */
export function compileLocalReplies({ rules = [], ...common }: LocalRepliesSettings): OwnReplyChange {
  const compiled = rules.map((rule) => compileRule(rule, common));
  const usual = compileChange({}, common);
  return (reply, request, context) => {
    const rule = compiled.find(({ takes }) => takes(reply.status, request));
    return (rule?.change ?? usual)(reply, request, context);
  };
}

type Form = Pick<LocalRepliesSettings, 'format' | 'contentType'>;

function compileRule(rule: LocalReplyRuleSettings, common: Form): Rule {
  const { fromStatus = 0, toStatus = Infinity, headers = [] } = rule;
  const tests = headers.map(compileHeader);
  return {
    takes: (status, request) => status >= fromStatus && status <= toStatus && tests.every((test) => test(request)),
    change: compileChange(rule, rule.format === undefined ? common : rule),
  };
}

function compileChange(
  { status: newStatus, body: newBody, setHeaders = [] }: LocalReplyRuleSettings,
  { format, contentType }: Form,
): OwnReplyChange {
  const line = format === undefined ? undefined : compileFormat(format);
  const type = contentType ?? typeOf(format);
  const changes = compileChanges(setHeaders);
  return (reply, _request, context) => {
    const status = newStatus ?? reply.status;
    const text = newBody ?? reply.body?.toString() ?? '';
    const response = { status, headers: reply.headers };
    const body = line === undefined ? text : line({ ...context, response, localBody: text });
    const isNew = line !== undefined || newBody !== undefined;
    const headers = isNew ? withBody(reply.headers, body, type) : reply.headers;
    return {
      status,
      // As in Envoy, they still see the status that it was.
      headers:
        changes === undefined ? headers : changes(headers, { ...context, response: { status: reply.status, headers } }),
      body: isNew ? Buffer.from(body) : reply.body,
    };
  };
}

function typeOf(format: LogFormat | undefined): string {
  return format === undefined || typeof format === 'string' ? 'text/plain' : 'application/json';
}

function withBody(headers: HeaderFields, body: string, type: string): HeaderFields {
  const others = withoutFields(headers, (name) => name === 'content-type' || name === 'content-length');
  return [...others, 'content-type', type, 'content-length', String(Buffer.byteLength(body))];
}
