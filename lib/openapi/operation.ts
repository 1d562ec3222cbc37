/** A binding → an OpenAPI operation: parameters, body, answers, and a curl line to paste. */
import { STATUS_CODES } from 'node:http';
import type { Binding } from '../rule/index.js';
import { isHttpBody, wellKnownKind } from '../codec/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { partCurlLine } from './curl.js';
import { enveloped, envelopedSample, errorResponse } from './errors.js';
import { type Given, givenBelow, givenOutsideBody } from './given.js';
import {
  compact,
  type DocumentedPart,
  type Json,
  type JsonObject,
  type OpenApiOptions,
  type RouteCredential,
  type SpecVersion,
} from './options.js';
import { commentOf, headerParameters, queryParameters } from './parameters.js';
import type { OpenApiPath, PathParameter } from './path.js';
import { isNeeded as isNeededField } from './required.js';
import { sampleJson, sampleMessage, sampleParameter } from './sample.js';
import { type SchemaBuilder, text } from './schemas.js';
import { answerContent, uploadContent } from './streams.js';

/** What an operation needs besides its binding. */
export interface OperationContext {
  /** The key in the path item, such as `get`. */
  readonly httpMethod: string;
  readonly schemas: SchemaBuilder;
  readonly operationId: string;
  readonly part: DocumentedPart<Binding>;
  /** What options of the schema say of the responses of all operations. */
  readonly responses: JsonObject;
  /** Base URL of the curl line, without the prefix of the part. */
  readonly curlUrl: string;
  /** The version of OpenAPI that the document is written in. */
  readonly spec: SpecVersion;
}

/**
 * Makes one operation.
 * @param names the names of the path parameters, which an earlier operation of the same path may have given
 */
export function operationOf(
  binding: Binding,
  path: OpenApiPath,
  names: readonly string[],
  context: OperationContext,
): JsonObject {
  const { method } = binding;
  const { schemas, operationId, part } = context;
  const { options, access } = part;
  const credentials = access?.credentialsFor(method.fullName) ?? [];
  const own = options.notes?.operation(method);
  const { summary, rest } = splitComment(method.comment);
  const parameters = [
    ...path.parameters.map((parameter, index) => pathParameter(parameter, names[index]!, schemas, options)),
    ...headerParameters(binding, schemas, options),
    ...queryParameters(binding, schemas, options),
  ];
  const everyParameter = withNoted(parameters, own?.parameters ?? [], schemas, options);
  return compact({
    operationId,
    tags: own?.tags ?? [options.notes?.tag(method.service)['name'] ?? method.service.fullName],
    summary: own?.summary ?? summary ?? method.name,
    description: text(
      own?.description ?? (own?.summary === undefined ? rest : method.comment),
      streamText(binding, options),
      ...credentials.map(claimText),
    ),
    externalDocs: own?.externalDocs,
    deprecated: method.deprecated || own?.deprecated === true || undefined,
    servers: own?.servers,
    parameters: everyParameter.length === 0 ? undefined : everyParameter,
    requestBody: withBodyNotes(requestBody(binding, context), own?.requestBody),
    responses: withNotes(
      {
        [String(binding.options.successStatus ?? 200)]: success(binding, context),
        default: errorResponse(schemas, options),
      },
      { ...context.responses, ...own?.responses },
      schemas,
      options,
    ),
    // What the proxy checks itself is true in any case.
    security:
      credentials.length === 0 ? own?.security : credentials.map((credential) => ({ [securityName(credential)]: [] })),
    ...own?.extensions,
    'x-codeSamples': [{ lang: 'Shell', label: 'curl', source: partCurlLine(part, binding, context.curlUrl) }],
  });
}

/**
 * Parameters with what options of the schema say of them. Headers and cookies are added; a query or a path has none but those
 * that the proxy knows.
 */
function withNoted(
  parameters: readonly JsonObject[],
  noted: readonly JsonObject[],
  schemas: SchemaBuilder,
  options: OpenApiOptions,
): JsonObject[] {
  const isSame = (a: JsonObject, b: JsonObject): boolean =>
    a['in'] === b['in'] &&
    (a['in'] === 'header' ? lowerName(a) === lowerName(b) : a['name'] === b['name'] && a['name'] !== undefined);
  const known = parameters.map((parameter) => {
    const found = noted.find((one) => isSame(one, parameter));
    if (found === undefined) return parameter;
    const { description, deprecated, example, examples } = found;
    const own = example === undefined && examples === undefined ? parameter : { ...parameter, example: undefined };
    return compact({ ...own, ...compact({ description, deprecated, example, examples }) });
  });
  const added = noted
    .filter((one) => !/^(?:query|path)$/.test(one['in'] as string) && !parameters.some((other) => isSame(one, other)))
    .map((one) => schemas.named(one, options));
  return [...known, ...added];
}

function lowerName({ name }: JsonObject): string {
  return (name as string).toLowerCase();
}

/** A body with the text and the examples that options of the schema give. */
function withBodyNotes(body: JsonObject | undefined, notes: JsonObject | undefined): JsonObject | undefined {
  if (body === undefined || notes === undefined) return body;
  const { description, ...examples } = notes;
  const content =
    Object.keys(examples).length === 0 ? body['content'] : withExamples(body['content'] as JsonObject, examples);
  return compact({ ...body, ...compact({ description }), content });
}

/** Responses with what options of the schema say of them. What the proxy answers with is its own schema in any case. */
function withNotes(
  responses: Readonly<Record<string, JsonObject>>,
  notes: JsonObject,
  schemas: SchemaBuilder,
  options: OpenApiOptions,
): JsonObject {
  const noted = Object.entries(notes).map(([status, note]): [string, JsonObject] => {
    const own = responses[status];
    const { schema, example, headers, content: given, ...rest } = schemas.named(note as JsonObject, options);
    // A response that is described elsewhere, and not by the proxy.
    if (own === undefined && rest['$ref'] !== undefined) return [status, rest];
    const { $ref: _, ...more } = rest;
    const { content, ...known } = own ?? {};
    const media = own === undefined ? (given ?? (schema && { 'application/json': { schema } })) : content;
    return [
      status,
      compact({
        description: STATUS_CODES[status] ?? 'A response.',
        ...known,
        ...more,
        headers:
          headers === undefined
            ? known['headers']
            : { ...(known['headers'] as JsonObject), ...(headers as JsonObject) },
        content: media && withExamples(media as JsonObject, exampleNotes(example, given)),
      }),
    ];
  });
  return Object.fromEntries([...Object.entries({ ...responses, ...Object.fromEntries(noted) })].sort(byStatus));
}

function exampleNotes(example: Json | undefined, given: Json | undefined): JsonObject {
  const json = ((given ?? {}) as JsonObject)['application/json'] as JsonObject | undefined;
  return compact({ example: example ?? json?.['example'], examples: json?.['examples'] });
}

/** Of JSON, with `example` or `examples`. */
function withExamples(media: JsonObject, notes: JsonObject): JsonObject {
  const json = media['application/json'] as JsonObject | undefined;
  if (json === undefined || Object.keys(notes).length === 0) return media;
  const { example: _, ...rest } = json;
  return { ...media, 'application/json': { ...rest, ...notes } };
}

/** `default` is the last. */
function byStatus([a]: [string, Json], [b]: [string, Json]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The name of a security scheme. */
export function securityName({ kind }: RouteCredential): string {
  return kind === 'token' ? 'token' : 'apiKey';
}

function claimText({ kind, claims }: RouteCredential): string {
  const needs = [...claims].map(
    ([claim, values]) => `\`${claim}\` ${values.map((value) => `\`${value}\``).join(' or ')}`,
  );
  return needs.length === 0 ? '' : `Needs ${kind === 'token' ? 'a token' : 'an API key'} with ${needs.join(' and ')}.`;
}

/** The first sentence, and what follows it. */
export function splitComment(comment: string): { summary: string | undefined; rest: string } {
  const match = /^([\s\S]+?[.!?])(?:\s+([\s\S]*))?$/.exec(comment);
  if (match === null) return { summary: comment === '' ? undefined : comment.replace(/\s+/g, ' '), rest: '' };
  return { summary: match[1]!.replace(/\s+/g, ' '), rest: match[2] ?? '' };
}

function streamText({ method: { clientStreaming, serverStreaming } }: Binding, options: OpenApiOptions): string {
  const kinds: string[] = [];
  if (clientStreaming) kinds.push('The body is a stream of messages: a JSON array, or one message on each line.');
  if (serverStreaming) {
    const json = options.streamFormat === 'grpc-gateway' ? 'lines `{"result": …}`' : 'a JSON array';
    kinds.push(
      `The answer is a stream of messages; \`Accept\` picks ${json}, lines (application/x-ndjson) or server-sent events.`,
    );
  }
  if (clientStreaming || serverStreaming) kinds.push('Also served as a WebSocket.');
  return kinds.join(' ');
}

/** A parameter of the path. @param name which an earlier operation of the same path may have given */
export function pathParameter(
  parameter: PathParameter,
  name: string,
  schemas: SchemaBuilder,
  options: OpenApiOptions,
): JsonObject {
  const field = parameter.field?.[parameter.field.length - 1];
  const isWhole = parameter.partOf === undefined || parameter.multi;
  const value = isWhole ? field : undefined;
  return compact({
    name,
    in: 'path',
    required: true,
    description: text(
      field === undefined ? '' : commentOf(field, options),
      value === undefined ? '' : schemas.words(value, options),
      isWhole || parameter.partOf === undefined ? '' : `A piece of \`${parameter.partOf}\`.`,
      parameter.multi ? slashText(options) : '',
    ),
    schema: value === undefined ? { type: 'string' } : schemas.parameter(value, options),
    example: value === undefined ? undefined : sampleParameter(value, options),
  });
}

/** Explains what happens to slashes, which generated clients escape. */
function slashText({ urlUnescape }: OpenApiOptions): string {
  return urlUnescape === 'all_characters'
    ? 'May hold slashes; `%2F` is one, too.'
    : 'May hold slashes, as they are: of `%2F`, which generated clients send, the service gets these three characters. Where the proxy runs with `url_unescape: all_characters`, it gets a slash.';
}

function requestBody(binding: Binding, context: OperationContext): JsonObject | undefined {
  const { body, method } = binding;
  if (body.kind === 'none' || omitsBody(binding, context)) return undefined;
  const { schemas } = context;
  const { options } = context.part;
  const given = givenOutsideBody(binding);
  const partial = context.httpMethod === 'patch';
  if (body.kind === 'all') {
    if (isHttpBody(method.input)) return rawContent();
    return content(
      context,
      binding,
      bodySchema(method.input, given, partial, context),
      sampleMessage(method.input, options, given),
      true,
    );
  }
  const field = body.path[body.path.length - 1]!;
  if (!field.repeated && isHttpBody(field.message)) return rawContent();
  const below = givenBelow(given, body.path);
  const schema = isPlainMessage(field)
    ? bodySchema(field.message, below, partial, context)
    : schemas.field(field, options);
  const isNeeded =
    body.path.every((step) => isNeededField(step, options)) || (below.length > 0 && schema['required'] !== undefined);
  return content(context, binding, schema, sampleJson(field, options, below), isNeeded);
}

/** True for the GET of kind `*`: many clients cannot send a body with GET. */
function omitsBody({ httpMethod }: Binding, context: OperationContext): boolean {
  return httpMethod === '*' && context.httpMethod === 'get';
}

/** True for a single message that is written as an object of its fields. */
export function isPlainMessage(
  field: FieldDescriptor,
): field is FieldDescriptor & { readonly message: MessageDescriptor } {
  return field.message !== undefined && !field.repeated && wellKnownKind(field.message) === undefined;
}

/** A reference if the whole message may be sent; else the object of the remaining fields. */
function bodySchema(
  message: MessageDescriptor,
  given: readonly Given[],
  partial: boolean,
  { schemas, part: { options } }: OperationContext,
): JsonObject {
  const isWhole = given.length === 0 && !partial;
  return isWhole || wellKnownKind(message) !== undefined
    ? schemas.message(message, options)
    : schemas.object(message, options, given, partial);
}

function content(
  { spec }: OperationContext,
  { method }: Binding,
  schema: JsonObject,
  example: Json,
  required: boolean,
): JsonObject {
  const media: JsonObject = method.clientStreaming
    ? uploadContent(schema, spec)
    : { 'application/json': { schema, example } };
  return compact({ required: required || undefined, content: media });
}

function rawContent(): JsonObject {
  return { description: 'Any bytes, of any content type.', ...rawBytes };
}

function success(binding: Binding, { schemas, part: { options }, spec }: OperationContext): JsonObject {
  const { method, responseBody } = binding;
  const status = binding.options.successStatus ?? 200;
  const headers = responseHeaders(binding, schemas, options);
  if (status === 204 || status === 304) return compact({ description: 'Done.', headers });
  const field = responseBody?.[responseBody.length - 1];
  if (isHttpBody(field === undefined ? method.output : field.repeated ? undefined : field.message)) {
    return compact({ description: 'The raw bytes.', headers, ...rawBytes });
  }
  const schema = field === undefined ? schemas.message(method.output, options) : schemas.responseBody(field, options);
  const sampled = { ...options, isAnswer: true };
  const sample = field === undefined ? sampleMessage(method.output, sampled) : sampleJson(field, sampled);
  return compact({
    description: text((field?.comment ?? method.output.comment).split('\n\n')[0]!) ?? 'OK',
    headers,
    content: method.serverStreaming
      ? answerContent(schema, sample, schemas, options, spec)
      : {
          'application/json': {
            schema: enveloped(schema, schemas, options),
            example: envelopedSample(sample, options),
          },
        },
  });
}

const rawBytes: JsonObject = { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } };

function responseHeaders(binding: Binding, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject | undefined {
  const { responseHeaders: bound } = binding.options;
  if (bound.length === 0) return undefined;
  return Object.fromEntries(
    bound.map(({ name, path }) => {
      const field = path[path.length - 1]!;
      return [name, compact({ description: text(field.comment), schema: schemas.parameterItem(field, options) })];
    }),
  );
}
