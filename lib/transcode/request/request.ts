/**
 * Path + query + headers + body → the bytes of the request message. Everything that is wrong with the values of a request is
 * collected and thrown as one StatusError.
 */
import { invalidArgument, type TextOrigin } from '../../codec/index.js';
import type { Captures, ContentCoding, RequestHead } from '../../exchange.js';
import type { Binding } from '../../rule/index.js';
import type { FieldDescriptor } from '../../schema/types.js';
import { type FieldViolation, StatusError } from '../../status.js';
import { HeaderBinder } from './bound-headers.js';
import { type BodyType, compileBodyReader, isBlank, isJsonBody, jsonType, unexpectedBody } from './body.js';
import { compileConditions, type Condition } from './conditions.js';
import { contentCodingsOf } from './content-coding.js';
import type { TranscodeContext } from '../context.js';
import { PathBinder } from './path.js';
import { takenField } from './given-fields.js';
import { ParameterResolver, type Reserved } from './parameter-resolver.js';
import { QueryBinder } from './query.js';
import { compileResume } from './resume.js';
import { noSystemParameters, systemNames, SystemParameterReader, type SystemParameters } from '../system-parameters.js';
import { UpdateMask } from './update-mask.js';
import { mergeContext, MessageNode } from './merge.js';

/** A request whose head has been read. Its body follows. */
export interface OpenRequest {
  readonly node: MessageNode;
  readonly violations: FieldViolation[];
  readonly bodyType: BodyType;
  /** The codings of the body; `finish` gets it decoded. */
  readonly contentCodings: readonly ContentCoding[];
  /** Fills the update mask; undefined if that is not to be done. */
  readonly mask: UpdateMask | undefined;
  /** What must hold for the service to act; undefined: nothing. */
  readonly condition: Condition | undefined;
  /** The form of answer that the query asks for. */
  readonly system: SystemParameters;
}

/** Reads the requests of one binding. */
export interface RequestReader {
  /**
   * Reads path, query and headers.
   * @throws StatusError for what is wrong regardless of the body, such as 415.
   */
  open(head: RequestHead, captures: Captures): OpenRequest;
  /**
   * Reads the body and writes the request message.
   * @param origin where the JSON starts in the stream that it is a part of
   */
  finish(request: OpenRequest, body: Buffer, origin?: TextOrigin): Buffer;
}

const NO_CODINGS: readonly ContentCoding[] = Object.freeze([]);

/** What carries the messages of a request: an HTTP body, or WebSocket frames. */
export type Carrier = 'body' | 'frame';

/**
 * Compiles the request reader of a binding.
 * @param carrier in a `frame`, a google.api.HttpBody is a message like any other
 * @throws ConfigError if a path variable or header cannot be bound.
 */
export function compileRequest(binding: Binding, shared: TranscodeContext, carrier: Carrier = 'body'): RequestReader {
  const { codec, options, buffers } = shared;
  const isEnvoy = options.requestBinding === 'envoy';
  const message = carrier === 'body' ? (isEnvoy ? wholeBody(binding) : binding) : frameBinding(binding);
  const out = buffers.message;
  const path = new PathBinder(binding, codec, options.urlUnescape);
  const boundHeaders = new HeaderBinder(binding, codec, shared.names);
  const takenByPath = binding.variables.flatMap(({ fieldPath }) => takenField(fieldPath, 'the path'));
  const root = binding.body.kind === 'all' && !isEnvoy ? undefined : binding.method.input;
  const reserved = isEnvoy ? [] : reservedPaths(binding);
  const names = new ParameterResolver('query parameter', root, reserved, codec, options);
  const query = new QueryBinder(names, options);
  const bodyReader = message.body.kind === 'none' ? undefined : compileBodyReader(message, shared, carrier === 'body');
  const resume = compileResume(binding, codec);
  const conditions = compileConditions(binding, codec, options);
  const updateMask = UpdateMask.compile(binding, options);
  const spellings = options.systemParameters ? systemNames(binding.method.input) : undefined;
  const bodyParents = binding.body.kind === 'field' ? binding.body.path.slice(0, -1) : [];

  const complete = (message: Buffer): Buffer => {
    const missing = codec.missing(binding.method.input, message);
    if (missing.length > 0) throw invalidArgument(missing);
    return message;
  };

  return {
    open(head, captures) {
      const hasBody = bodyReader !== undefined && head.hasBody;
      const violations: FieldViolation[] = [];
      const system =
        spellings === undefined || head.query === undefined
          ? undefined
          : new SystemParameterReader(spellings, violations);
      const request: OpenRequest = {
        node: new MessageNode(),
        violations,
        system: system ?? noSystemParameters,
        contentCodings: hasBody ? contentCodingsOf(head.headers, options.requestCompression) : NO_CODINGS,
        bodyType: hasBody ? bodyReader.typeOf(head.headers) : jsonType,
        mask: head.method === 'PATCH' ? updateMask : undefined,
        condition: undefined,
      };
      path.bind(head.path, captures, request.node, request.violations);
      const takenByHeaders = boundHeaders.bind(head.headers, request.node, request.violations);
      if (head.query !== undefined) {
        query.bind(
          head.query,
          request.node,
          request.violations,
          takenByHeaders.length === 0 && resume === undefined
            ? takenByPath
            : [...takenByPath, ...takenByHeaders, ...(resume?.taken(head) ?? [])],
          system,
        );
      }
      resume?.bind(head, request.node, request.violations);
      const condition = conditions?.(head, request.node, request.violations);
      return condition === undefined ? request : { ...request, condition };
    },

    finish({ node, violations, bodyType, mask }, body, origin) {
      const context = mergeContext(violations, shared);
      if (bodyReader !== undefined) {
        const base = attachBody(node, bodyParents, () => bodyReader.read(body, bodyType, context, origin), violations);
        if (mask !== undefined && base !== undefined) {
          if (isJsonBody(body, bodyType)) mask.fillFromJson(node, body);
          else mask.fillFromWire(node, base);
        }
      } else if (!options.ignoreUnexpectedBody && !isBlank(body, options)) {
        violations.push(unexpectedBody(binding));
      }
      if (node.holdsBodyAlone && violations.length === 0) return complete(node.bodyPart!);
      out.reset();
      node.write(out, context);
      if (violations.length > 0) throw invalidArgument(violations);
      return complete(out.take());
    },
  };
}

/** As Envoy does, takes a body as the whole message if the rule has none. */
function wholeBody(binding: Binding): Binding {
  return binding.body.kind === 'none' ? { ...binding, body: { kind: 'all' } } : binding;
}

/** For a client stream, frames are messages even if the rule has no body: a WebSocket handshake is always a GET. */
function frameBinding(binding: Binding): Binding {
  const isBodiless = binding.method.clientStreaming && binding.body.kind === 'none';
  return isBodiless ? { ...binding, body: { kind: 'all' } } : binding;
}

/** Puts the fields of the body into their node and returns them. Violations in the body join those of path and query. */
function attachBody(
  root: MessageNode,
  parents: readonly FieldDescriptor[],
  read: () => Buffer | undefined,
  violations: FieldViolation[],
): Buffer | undefined {
  let base: Buffer | undefined;
  const known = violations.length;
  try {
    base = read();
  } catch (error) {
    if (!(error instanceof StatusError) || error.violations.length === 0 || violations.length === 0) throw error;
    violations.push(...error.violations);
    return undefined;
  }
  // After a violation in a form, its bytes are incomplete.
  if (base === undefined || base.length === 0 || violations.length > known) return undefined;
  root.descend(parents).bodyPart = base;
  return base;
}

/** The fields that query parameters must not set. */
function reservedPaths(binding: Binding): Reserved[] {
  const { source } = binding.template;
  const reserved: Reserved[] = binding.variables.map(({ fieldPath }) => ({
    path: fieldPath,
    by: `the path ${source}`,
  }));
  for (const { source: kind, name, path } of binding.options.headers)
    reserved.push({ path, by: `the ${kind} ${name}` });
  if (binding.body.kind === 'field') reserved.push({ path: binding.body.path, by: 'the body' });
  return reserved;
}
