/** An RPC as a tool: its name, what it does, and the JSON Schemas of arguments and result. */
import { type Codec, wellKnownKind } from '../codec/index.js';
import type { Exchange, MethodPlan } from '../exchange.js';
import type { CallOptions } from '../metadata/index.js';
import {
  compact,
  ComponentNames,
  type JsonObject,
  type OpenApiOptions,
  SchemaBuilder,
  type SchemaForm,
  text,
} from '../openapi/index.js';
import type { Binding } from '../rule/index.js';
import type { MethodDescriptor, MessageDescriptor } from '../schema/types.js';
import { titleOf } from './names.js';
import type { McpOptions } from './options.js';

/** An RPC that agents may call. */
export interface ToolMethod {
  readonly method: MethodDescriptor;
  /** The HTTP methods of its rules. */
  readonly httpMethods: readonly string[];
}

/** The RPCs of one gateway, and how they are called. */
export interface ToolSource {
  /** Of its mount; '' for the root. */
  readonly prefix: string;
  readonly methods: readonly ToolMethod[];
  readonly codec: Codec;
  readonly options: OpenApiOptions & CallOptions & McpOptions;
  /** True for an RPC that needs a token. */
  readonly needsToken: (rpc: string) => boolean;
  /** All of its routes. */
  readonly routes: readonly Binding[];
  /** The RPC, by full name, whose route answers a GET of this path and query; undefined: none does. */
  readonly rpcOf: (target: string) => string | undefined;
  /** Runs an exchange that is a request like any other. Never throws. */
  readonly serve: (exchange: Exchange) => void;
  /** Runs an exchange as the gateway runs all of them, by this plan. Never throws. */
  readonly run: (exchange: Exchange, plan: MethodPlan, method: MethodDescriptor) => void;
}

/** A tool with its name. */
export interface Tool extends ToolMethod {
  readonly name: string;
  readonly source: ToolSource;
  /** How its arguments become messages. */
  readonly input: Shape;
  /** How its messages become a result. */
  readonly output: Shape;
}

/**
 * `object`: the message. `value`: a message whose JSON is no object, as the member `value`. `messages`: a list of messages, as
 * the member `messages`; each of them is the JSON of its message.
 */
export type Shape = 'object' | 'value' | 'messages';

/** Makes a tool of an RPC. */
export function toolOf(name: string, method: ToolMethod, source: ToolSource): Tool {
  const { clientStreaming, serverStreaming, input, output } = method.method;
  return {
    ...method,
    name,
    source,
    input: clientStreaming ? 'messages' : shapeOf(input),
    output: serverStreaming ? 'messages' : shapeOf(output),
  };
}

const objects = new Set<string | undefined>([undefined, 'Struct', 'Empty', 'Any']);

function shapeOf(message: MessageDescriptor): Shape {
  return objects.has(wellKnownKind(message)) ? 'object' : 'value';
}

/** What `tools/list` says of a tool. */
export function describeTool(tool: Tool): JsonObject {
  const { method } = tool;
  return compact({
    name: tool.name,
    title: titleOf(method.name),
    description: descriptionOf(tool),
    inputSchema: inputSchema(tool),
    outputSchema: outputSchema(tool),
    annotations: annotationsOf(tool),
  });
}

function descriptionOf({ method, source: { options } }: Tool): string {
  const { mcpMaxMessages, mcpStreamTimeMs } = options;
  return text(
    method.comment === '' ? `Calls the RPC ${method.fullName}.` : method.comment,
    method.deprecated ? 'Deprecated.' : '',
    method.clientStreaming ? `Takes a list of messages, at most ${mcpMaxMessages}.` : '',
    method.serverStreaming
      ? `Returns a list of messages: at most ${mcpMaxMessages}, and those of the first ${mcpStreamTimeMs / 1000} seconds.`
      : '',
  )!;
}

/**
 * A GET promises that nothing changes, and a DELETE that something goes. Of a POST nobody knows what it does, so that its
 * hints are left to their defaults, which are the careful ones.
 */
function annotationsOf({ method, httpMethods }: Tool): JsonObject {
  const isReadOnly = method.hasNoSideEffects || httpMethods.includes('GET') || httpMethods.includes('QUERY');
  if (isReadOnly) return { readOnlyHint: true, destructiveHint: false, idempotentHint: true };
  const isDelete = httpMethods.includes('DELETE');
  return compact({
    readOnlyHint: false,
    destructiveHint: isDelete || undefined,
    idempotentHint: isDelete || httpMethods.includes('PUT') || undefined,
  });
}

const inputForm: SchemaForm = { refs: '#/$defs/', isExact: false };
const outputForm: SchemaForm = { refs: '#/$defs/', isExact: true };

function inputSchema({ method, input, source: { options } }: Tool): JsonObject {
  const schemas = new SchemaBuilder(new ComponentNames([{ method }], 'short'), inputForm);
  if (input === 'messages') {
    const items = schemas.message(method.input, options);
    const messages = { type: 'array', items, maxItems: options.mcpMaxMessages };
    return withDefinitions({ type: 'object', properties: { messages }, required: ['messages'] }, schemas);
  }
  return objectSchema(method.input, input, schemas, options);
}

function outputSchema({ method, output, source: { options } }: Tool): JsonObject {
  const schemas = new SchemaBuilder(new ComponentNames([{ method }], 'short'), outputForm);
  if (output === 'messages') {
    const messages = { type: 'array', items: schemas.message(method.output, options) };
    const cut = {
      type: 'string',
      description: 'Why the stream was cut: there may be more messages. Absent: it ended by itself.',
    };
    return withDefinitions({ type: 'object', properties: { messages, cut }, required: ['messages'] }, schemas);
  }
  return objectSchema(method.output, output, schemas, options);
}

function objectSchema(
  message: MessageDescriptor,
  shape: Shape,
  schemas: SchemaBuilder,
  options: OpenApiOptions,
): JsonObject {
  if (shape === 'value') {
    const value = schemas.message(message, options);
    return withDefinitions({ type: 'object', properties: { value }, required: ['value'] }, schemas);
  }
  const isWellKnown = wellKnownKind(message) !== undefined;
  const schema = isWellKnown ? schemas.message(message, options) : schemas.object(message, options);
  const isEmpty = message.fields.length === 0 && message.extensions.length === 0;
  return withDefinitions(isEmpty ? { ...schema, additionalProperties: false } : schema, schemas);
}

function withDefinitions(schema: JsonObject, { components }: SchemaBuilder): JsonObject {
  return Object.keys(components).length === 0 ? schema : { ...schema, $defs: components };
}
