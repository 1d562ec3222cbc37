/** One binding → one OpenAPI operation: parameters, body, answers, and a curl line to paste. */
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { curlLine } from './curl.js';
import { enveloped, errorResponse, errorSchema } from './errors.js';
import { compact, type Json, type JsonObject, type OpenApiOptions, type RouteAccess } from './options.js';
import { headerParameters, queryParameters } from './parameters.js';
import type { OpenApiPath, PathParameter } from './path.js';
import { sampleMessage, sampleText } from './sample.js';
import { type SchemaBuilder, text } from './schemas.js';

export interface OperationContext {
  readonly schemas: SchemaBuilder;
  readonly options: OpenApiOptions;
  readonly operationId: string;
  /** Base of the curl line, the part's prefix included. */
  readonly curlUrl: string;
  /** Who may call; undefined: everybody. */
  readonly access: RouteAccess | undefined;
}

/** @param names the parameters' names as the path has them, which another operation of the same path may have chosen */
export function operationOf(
  binding: Binding,
  path: OpenApiPath,
  names: readonly string[],
  context: OperationContext,
): JsonObject {
  const { method } = binding;
  const { schemas, options, operationId, access } = context;
  const claims = access?.claimsFor(method.fullName);
  const curl = curlLine(binding, context.curlUrl);
  const { summary, rest } = splitComment(method.comment);
  const parameters = [
    ...path.parameters.map((parameter, index) => pathParameter(parameter, names[index]!, schemas, options)),
    ...headerParameters(binding, schemas, options),
    ...queryParameters(binding, schemas, options),
  ];
  return compact({
    operationId,
    tags: [method.service.fullName],
    summary,
    description: text(rest, streamText(binding), claimText(claims)),
    deprecated: method.deprecated || undefined,
    parameters: parameters.length === 0 ? undefined : parameters,
    requestBody: requestBody(binding, schemas, options),
    responses: {
      [String(binding.options.successStatus ?? 200)]: success(binding, schemas, options),
      default: errorResponse(schemas, options),
    },
    security: claims === undefined ? undefined : [{ token: [] }],
    'x-codeSamples': [
      { lang: 'Shell', label: 'curl', source: claims === undefined ? curl : `${curl} ${tokenOption(access!)}` },
    ],
  });
}

function claimText(claims: ReturnType<RouteAccess['claimsFor']> = new Map()): string {
  const needs = [...claims].map(
    ([claim, values]) => `\`${claim}\` ${values.map((value) => `\`${value}\``).join(' or ')}`,
  );
  return needs.length === 0 ? '' : `Needs a token with ${needs.join(' and ')}.`;
}

function tokenOption({ header }: RouteAccess): string {
  return header === 'authorization' ? '-H "Authorization: Bearer $TOKEN"' : `-H "${header}: $TOKEN"`;
}

/** The first sentence, and what follows it. */
function splitComment(comment: string): { summary: string | undefined; rest: string } {
  const match = /^([\s\S]+?[.!?])(?:\s+([\s\S]*))?$/.exec(comment);
  if (match === null) return { summary: comment === '' ? undefined : comment.replace(/\s+/g, ' '), rest: '' };
  return { summary: match[1]!.replace(/\s+/g, ' '), rest: match[2] ?? '' };
}

function streamText({ method: { clientStreaming, serverStreaming } }: Binding): string {
  const kinds: string[] = [];
  if (clientStreaming) kinds.push('The body is a stream of messages: a JSON array, or one message on each line.');
  if (serverStreaming)
    kinds.push(
      'The answer is a stream of messages; `Accept` picks a JSON array, lines (application/x-ndjson) or server-sent events.',
    );
  if (clientStreaming || serverStreaming) kinds.push('Also served as a WebSocket.');
  return kinds.join(' ');
}

function pathParameter(
  parameter: PathParameter,
  name: string,
  schemas: SchemaBuilder,
  options: OpenApiOptions,
): JsonObject {
  const field = parameter.field?.[parameter.field.length - 1];
  const isWhole = parameter.partOf === undefined || parameter.multi;
  return compact({
    name,
    in: 'path',
    required: true,
    description: text(
      field?.comment ?? '',
      isWhole || parameter.partOf === undefined ? '' : `A piece of \`${parameter.partOf}\`.`,
      parameter.multi ? 'May hold slashes.' : '',
    ),
    schema: isWhole && field !== undefined ? schemas.single(field, options) : { type: 'string' },
    example: isWhole && field !== undefined ? sampleText(field) : undefined,
  });
}

function requestBody(binding: Binding, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject | undefined {
  const { body, method } = binding;
  if (body.kind === 'none') return undefined;
  const given = [
    ...binding.variables.map(({ fieldPath }) => fieldPath),
    ...binding.options.headers.map(({ path }) => path),
  ];
  const partial = binding.httpMethod === 'PATCH';
  if (body.kind === 'all') {
    const taken = given.filter((path) => path.length === 1).map(([field]) => field!);
    return content(
      bodySchema(method.input, taken, partial, schemas, options),
      binding,
      sampleMessage(method.input, taken),
      true,
    );
  }
  const field = body.path[body.path.length - 1]!;
  if (isHttpBody(field.message)) return rawContent();
  const taken = given.filter((path) => path.length === body.path.length + 1).map((path) => path[path.length - 1]!);
  const plain = field.message !== undefined && !field.repeated && sampleText(field) === undefined;
  const schema = plain ? bodySchema(field.message, taken, partial, schemas, options) : schemas.field(field, options);
  const required = field.behaviors.includes('REQUIRED');
  return content(schema, binding, plain ? sampleMessage(field.message, taken) : undefined, required);
}

/** By reference where the whole message may be sent. */
function bodySchema(
  message: MessageDescriptor,
  taken: readonly FieldDescriptor[],
  partial: boolean,
  schemas: SchemaBuilder,
  options: OpenApiOptions,
): JsonObject {
  if (isHttpBody(message)) return { type: 'string', contentMediaType: 'application/octet-stream' };
  if (taken.length === 0 && !partial) return schemas.message(message, options);
  return schemas.object(message, options, taken, partial);
}

function content(schema: JsonObject, { method }: Binding, sample: unknown, required: boolean): JsonObject {
  if (isHttpBody(method.input)) return rawContent();
  const example = sample === undefined ? undefined : (sample as Json);
  const media: JsonObject = method.clientStreaming
    ? { 'application/json': { schema: { type: 'array', items: schema } }, 'application/x-ndjson': { schema } }
    : { 'application/json': compact({ schema, example }) };
  return compact({ required: required || undefined, content: media });
}

function rawContent(): JsonObject {
  return {
    description: 'Any bytes, of any content type.',
    content: { '*/*': { schema: { type: 'string', format: 'binary' } } },
  };
}

function isHttpBody(message: MessageDescriptor | undefined): boolean {
  return message?.fullName === 'google.api.HttpBody';
}

function success(binding: Binding, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject {
  const { method, responseBody } = binding;
  const status = binding.options.successStatus ?? 200;
  const headers = responseHeaders(binding, schemas, options);
  if (status === 204 || status === 304) return compact({ description: 'Done.', headers });
  const field = responseBody?.[responseBody.length - 1];
  if (isHttpBody(field === undefined ? method.output : field.repeated ? undefined : field.message)) {
    return compact({ description: 'The raw bytes.', headers, ...rawAnswer });
  }
  const schema = field === undefined ? schemas.message(method.output, options) : schemas.field(field, options);
  return compact({
    description: text((field?.comment ?? method.output.comment).split('\n\n')[0]!) ?? 'OK',
    headers,
    content: method.serverStreaming
      ? streamContent(schema, schemas, options)
      : { 'application/json': { schema: enveloped(schema, schemas, options) } },
  });
}

const rawAnswer: JsonObject = { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } };

/** Elements of an array are bare, whatever the envelope. */
function streamContent(schema: JsonObject, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject {
  const frame: JsonObject = { anyOf: [enveloped(schema, schemas, options), errorSchema(schemas, options)] };
  return {
    'application/json': { schema: { type: 'array', items: schema } },
    'application/x-ndjson': { schema: frame },
    'text/event-stream': { schema: frame },
  };
}

function responseHeaders(binding: Binding, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject | undefined {
  const { responseHeaders: bound } = binding.options;
  if (bound.length === 0) return undefined;
  return Object.fromEntries(
    bound.map(({ name, path }) => {
      const field = path[path.length - 1]!;
      return [name, compact({ description: text(field.comment), schema: schemas.field(field, options) })];
    }),
  );
}
