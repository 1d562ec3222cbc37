/**
 * Bindings → an AsyncAPI 3.0 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0) of the streams that a
 * listener serves, by HTTP and as WebSockets: a channel for each path of a streaming method, and an operation for each
 * direction. It speaks of the proxy: `send` is what it sends to clients, `receive` what clients send.
 */
import { isHttpBody, wellKnownKind } from '../codec/index.js';
import type { Binding } from '../rule/index.js';
import { enveloped, envelopedSample, errorFrame } from './errors.js';
import { givenBelow, givenOutsideBody } from './given.js';
import { infoOf, notesOf, OperationIds, securitySchemesOf, tagsOf } from './head.js';
import { ComponentNames } from './names.js';
import { isPlainMessage, pathParameter, securityName, splitComment } from './operation.js';
import {
  compact,
  type DocumentedPart,
  type DocumentInfo,
  type Json,
  type JsonObject,
  objectsOf,
  type OpenApiOptions,
} from './options.js';
import { headerParameters, queryParameters } from './parameters.js';
import { openApiPath } from './path.js';
import { sampleJson, sampleMessage } from './sample.js';
import { SchemaBuilder, text } from './schemas.js';

type Part = DocumentedPart<Binding>;

/** The methods that bindings of HTTP know. */
const httpMethods = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE'];

/** True if there is something for such a document to describe. */
export function hasStreams(parts: readonly Part[]): boolean {
  return parts.some(({ bindings }) => bindings.some(isStream));
}

function isStream({ method }: Binding): boolean {
  return method.clientStreaming || method.serverStreaming;
}

/** QUERY at the path of another rule of the same method is the same channel, and bindings of HTTP do not know it. */
function isOwnStream(binding: Binding, _: number, all: readonly Binding[]): boolean {
  const { httpMethod, method, template } = binding;
  const isSame = (other: Binding): boolean =>
    other.httpMethod !== 'QUERY' && other.method === method && other.template.source === template.source;
  return isStream(binding) && !(httpMethod === 'QUERY' && all.some(isSame));
}

/**
 * The document of the streams in `parts`.
 * @param info `server` is the absolute base URL; without, the document names no servers. `spec` and `self` do not count.
 */
export function asyncApiDocument(parts: readonly Part[], info: DocumentInfo): JsonObject {
  const streams = parts.map((part) => ({ ...part, bindings: part.bindings.filter(isOwnStream) }));
  const bindings = streams.flatMap((part) => part.bindings);
  const schemas = new SchemaBuilder(new ComponentNames(bindings, info.names ?? 'dotted'));
  const notes = notesOf(streams);
  const schemes = securitySchemesOf(streams, notes) ?? {};
  const ids = new OperationIds(streams);
  const channels: Record<string, JsonObject> = {};
  const operations: Record<string, JsonObject> = {};
  for (const part of streams) {
    for (const binding of part.bindings) {
      const id = ids.take(binding, part);
      const stream = new Stream(binding, part, schemas);
      channels[id] = stream.channel();
      Object.assign(operations, stream.operations(id, schemes));
    }
  }
  const services = new Set(bindings.map(({ method }) => method.service));
  return compact({
    asyncapi: '3.0.0',
    info: { ...infoOf(parts, info, notes), tags: tagsOf(objectsOf(notes['tags']), services, streams, '3.1') },
    defaultContentType: 'application/json',
    servers: serversOf(info.server),
    channels,
    operations,
    components: compact({
      schemas: schemas.components,
      securitySchemes: Object.keys(schemes).length === 0 ? undefined : mappedSchemes(schemes),
    }),
  });
}

/** The same place twice, for both protocols. */
function serversOf(server: string | undefined): JsonObject | undefined {
  if (server === undefined || !URL.canParse(server)) return undefined;
  const { protocol, host, pathname } = new URL(server);
  const isSecure = protocol === 'https:';
  const place = compact({ host, pathname: pathname === '/' ? undefined : pathname.replace(/\/$/, '') });
  return {
    http: { ...place, protocol: isSecure ? 'https' : 'http' },
    websocket: { ...place, protocol: isSecure ? 'wss' : 'ws' },
  };
}

/** One path of a streaming method. */
class Stream {
  private readonly options: OpenApiOptions;

  constructor(
    private readonly binding: Binding,
    private readonly part: Part,
    private readonly schemas: SchemaBuilder,
  ) {
    this.options = part.options;
  }

  channel(): JsonObject {
    const { binding, schemas, options } = this;
    const { method } = binding;
    const { path, parameters } = openApiPath(binding);
    const sent = this.sent();
    return compact({
      address: `${this.part.prefix}${path}`,
      title: method.fullName,
      description: text(...this.frameTexts()),
      parameters:
        parameters.length === 0
          ? undefined
          : Object.fromEntries(
              parameters.map((one) => [one.name, channelParameter(pathParameter(one, one.name, schemas, options))]),
            ),
      messages: compact({
        request: sent && { name: method.input.fullName, contentType: 'application/json', ...sent },
        answer: { name: method.output.fullName, contentType: 'application/json', ...this.answered() },
        error: {
          name: 'error',
          contentType: 'application/json',
          summary: 'The last message of a call that failed.',
          payload: errorFrame(schemas, options),
        },
      }),
      bindings: { ws: compact({ method: 'GET', ...this.request(), bindingVersion: '0.1.0' }) },
    });
  }

  operations(id: string, schemes: JsonObject): Record<string, JsonObject> {
    const { binding, options, part } = this;
    const { method, httpMethod } = binding;
    const own = options.notes?.operation(method);
    const { summary, rest } = splitComment(method.comment);
    const credentials = part.access?.credentialsFor(method.fullName) ?? [];
    const names = credentials.length === 0 ? (own?.security ?? []).flatMap(Object.keys) : credentials.map(securityName);
    const security = [...new Set(names)].filter((name) => schemes[name] !== undefined);
    const { query } = this.request();
    const common = {
      channel: { $ref: `#/channels/${id}` },
      title: `${method.service.name}.${method.name}`,
      summary: own?.summary ?? summary ?? method.name,
      description: text(own?.description ?? (own?.summary === undefined ? rest : method.comment)),
      security:
        security.length === 0 ? undefined : security.map((name) => ({ $ref: `#/components/securitySchemes/${name}` })),
      tags: (own?.tags as readonly string[] | undefined)?.map((name) => ({ name })) ?? [
        { name: options.notes?.tag(method.service)['name'] ?? method.service.fullName },
      ],
      bindings: httpMethods.includes(httpMethod)
        ? { http: compact({ method: httpMethod, query, bindingVersion: '0.3.0' }) }
        : undefined,
    };
    const operation = (action: 'send' | 'receive', messages: readonly string[]): JsonObject =>
      compact({
        action,
        ...common,
        messages: messages.map((name) => ({ $ref: `#/channels/${id}/messages/${name}` })),
      });
    const receives = this.sent() === undefined ? {} : { [`${id}_receive`]: operation('receive', ['request']) };
    return { ...receives, [`${id}_send`]: operation('send', ['answer', 'error']) };
  }

  /** What clients send: each message of a client stream, or the body; undefined if path and query say it all. */
  private sent(): JsonObject | undefined {
    const { binding, schemas, options } = this;
    const { body, method } = binding;
    if (body.kind === 'none' && !method.clientStreaming) return undefined;
    const given = givenOutsideBody(binding);
    if (body.kind !== 'field') {
      const isWhole = given.length === 0 || wellKnownKind(method.input) !== undefined;
      return message(
        isWhole ? schemas.message(method.input, options) : schemas.object(method.input, options, given),
        sampleMessage(method.input, options, given),
      );
    }
    const field = body.path[body.path.length - 1]!;
    const below = givenBelow(given, body.path);
    const isPart = below.length > 0 && isPlainMessage(field);
    return message(
      isPart ? schemas.object(field.message, options, below) : schemas.field(field, options),
      sampleJson(field, options, below),
    );
  }

  /** What the proxy sends: each message of a server stream, or the only answer. */
  private answered(): JsonObject {
    const { binding, schemas, options } = this;
    const { method, responseBody } = binding;
    const field = responseBody?.[responseBody.length - 1];
    const schema = field === undefined ? schemas.message(method.output, options) : schemas.responseBody(field, options);
    const sampled = { ...options, isAnswer: true };
    const sample = field === undefined ? sampleMessage(method.output, sampled) : sampleJson(field, sampled);
    return message(enveloped(schema, schemas, options), envelopedSample(sample, options));
  }

  /** Query and headers, as schemas of objects. */
  private request(): { readonly query?: JsonObject; readonly headers?: JsonObject } {
    const { binding, schemas, options } = this;
    const query = objectSchema(queryParameters(binding, schemas, options));
    const headers = objectSchema(
      headerParameters(binding, schemas, options).filter((parameter) => parameter['in'] === 'header'),
    );
    return { ...(query && { query }), ...(headers && { headers }) };
  }

  private frameTexts(): string[] {
    const { binding, options } = this;
    const { method } = binding;
    const isBytes = isHttpBody(method.input) || isHttpBody(method.output);
    const lines = options.streamFormat === 'grpc-gateway' ? ', or without them lines `{"result": …}`' : '';
    const enclosed = options.envelope === 'none' ? '' : ' Elements of an array are messages without the envelope.';
    return [
      isBytes
        ? 'Over HTTP, `google.api.HttpBody` is raw bytes: see the OpenAPI document.'
        : [
            method.clientStreaming ? 'Over HTTP, the request is a JSON array, or one message on each line.' : '',
            method.serverStreaming
              ? `Over HTTP, \`Accept\` picks lines (application/x-ndjson), server-sent events (text/event-stream), a JSON text sequence (application/json-seq) or a JSON array (application/json)${lines}.${enclosed}`
              : '',
          ]
            .filter((sentence) => sentence !== '')
            .join(' '),
      'As a WebSocket, each text frame is one message as JSON and each binary frame one as protobuf, whichever the client uses. An empty text frame ends what the client sends. A failed call ends with an error and the close code 4000 + gRPC code, any other with 1000.',
    ];
  }
}

function message(payload: JsonObject, example: Json): JsonObject {
  // Examples of messages are objects here.
  const isObject = typeof example === 'object' && example !== null && !Array.isArray(example);
  return compact({ payload, examples: isObject ? [{ payload: example }] : undefined });
}

/** Parameters of channels are strings, and have no schema. */
function channelParameter({ description, schema, example }: JsonObject): JsonObject {
  const { enum: values } = schema as JsonObject;
  return compact({
    description,
    enum: Array.isArray(values) ? values.map(String) : undefined,
    examples: example === undefined ? undefined : [typeof example === 'string' ? example : JSON.stringify(example)],
  });
}

function objectSchema(parameters: readonly JsonObject[]): JsonObject | undefined {
  if (parameters.length === 0) return undefined;
  const properties = parameters.map(({ name, description, schema, content }) => {
    const media = (content as JsonObject | undefined)?.['application/json'] as JsonObject | undefined;
    return [name as string, compact({ description, ...((schema ?? media?.['schema']) as JsonObject) })] as const;
  });
  const required = parameters.filter((parameter) => parameter['required'] === true).map(({ name }) => name!);
  return compact({
    type: 'object',
    properties: Object.fromEntries(properties),
    required: required.length === 0 ? undefined : required,
  });
}

/** The same in the terms of AsyncAPI. */
function mappedSchemes(schemes: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schemes).map(([name, scheme]) => [name, asyncScheme(scheme as JsonObject)]));
}

function asyncScheme({ flows, ...scheme }: JsonObject): JsonObject {
  if (scheme['type'] === 'apiKey') return { ...scheme, type: 'httpApiKey' };
  if (scheme['type'] === 'mutualTLS') return { ...scheme, type: 'X509' };
  if (flows === undefined) return scheme;
  const named = Object.entries(flows as JsonObject).map(([name, flow]) => {
    const { scopes, ...rest } = flow as JsonObject;
    return [name, { ...rest, availableScopes: scopes ?? {} }];
  });
  return { ...scheme, flows: Object.fromEntries(named) as JsonObject };
}
