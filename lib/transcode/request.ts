/**
 * Path + query + body → the bytes of the request message. Compiled once for each binding; all that is wrong with a
 * request's values is collected and thrown as one StatusError.
 */
import { summarize } from '../codec/index.js';
import type { Captures, ContentCoding, RequestHead } from '../exchange.js';
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import { Code, type FieldViolation, StatusError } from '../status.js';
import { HeaderBinder } from './bound-headers.js';
import { type BodyType, compileBodyReader, isBlank, isJson, jsonType, unexpectedBody } from './body.js';
import { contentCodingsOf } from './content-coding.js';
import type { TranscodeContext } from './context.js';
import { PathBinder } from './path.js';
import { QueryBinder, type Reserved, takenOneofs } from './query.js';
import { noSystemParameters, systemNames, SystemParameterReader, type SystemParameters } from './system-parameters.js';
import { UpdateMask } from './update-mask.js';
import { MessageNode, type WeaveContext } from './weave.js';

/** A request whose head was read; its body is still to come. */
export interface OpenRequest {
  readonly node: MessageNode;
  readonly violations: FieldViolation[];
  readonly bodyType: BodyType;
  /** How the body is coded; `finish` gets it decoded. */
  readonly contentCodings: readonly ContentCoding[];
  /** What fills the update mask; undefined where it is left alone. */
  readonly mask: UpdateMask | undefined;
  /** What form of answer the query asks for. */
  readonly system: SystemParameters;
}

export interface RequestReader {
  /** Reads path and query, and refuses by the head what need not wait for the body. */
  open(head: RequestHead, captures: Captures): OpenRequest;
  /** The request message. */
  finish(request: OpenRequest, body: Buffer): Buffer;
}

const NO_CODINGS: readonly ContentCoding[] = Object.freeze([]);

/**
 * @param rawBodies false: a google.api.HttpBody is read as the message that it is, for frames that are no HTTP bodies.
 * @throws ConfigError where the binding cannot work.
 */
export function compileRequest(binding: Binding, shared: TranscodeContext, rawBodies = true): RequestReader {
  const { codec, options, buffers } = shared;
  const out = buffers.message;
  const path = new PathBinder(binding, codec, options.urlUnescape);
  const boundHeaders = new HeaderBinder(binding, codec, shared.names);
  const pathOneofs = binding.variables.flatMap(({ fieldPath }) => takenOneofs(fieldPath, 'the path'));
  const query = new QueryBinder(
    'query parameter',
    binding.body.kind === 'all' ? undefined : binding.method.input,
    reservedPaths(binding),
    codec,
    options,
  );
  const bodyReader = binding.body.kind === 'none' ? undefined : compileBodyReader(binding, shared, rawBodies);
  const updateMask = UpdateMask.compile(binding, options);
  const spellings = options.systemParameters ? systemNames(binding.method.input) : undefined;
  const bodyParents = binding.body.kind === 'field' ? binding.body.path.slice(0, -1) : [];

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
      };
      path.bind(head.path, captures, request.node, request.violations);
      const headerOneofs = boundHeaders.bind(head.headers, request.node, request.violations);
      if (head.query !== undefined) {
        query.bind(
          head.query,
          request.node,
          request.violations,
          headerOneofs.length === 0 ? pathOneofs : [...pathOneofs, ...headerOneofs],
          system,
        );
      }
      return request;
    },

    finish({ node, violations, bodyType, mask }, body) {
      const context: WeaveContext = {
        violations,
        scratch: buffers.scratch,
        overwritePathFields: options.overwritePathFields,
      };
      if (bodyReader !== undefined) {
        const base = attachBody(node, bodyParents, () => bodyReader.read(body, bodyType, context), violations);
        if (mask !== undefined && base !== undefined) {
          if (isJson(body, bodyType)) mask.fillFromJson(node, body);
          else mask.fillFromWire(node, base);
        }
      } else if (!options.ignoreUnexpectedBody && !isBlank(body, options)) {
        violations.push(unexpectedBody(binding));
      }
      if (node.holdsBodyAlone && violations.length === 0) return node.base!;
      out.reset();
      node.write(out, context);
      if (violations.length > 0) throw invalid(violations);
      return out.take();
    },
  };
}

/** Puts the body's fields where they belong, and returns them; its violations join those of path and query. */
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
  // Where a form's value could not be read, what was written of it is no message.
  if (base === undefined || base.length === 0 || violations.length > known) return undefined;
  let node = root;
  for (const parent of parents) node = node.child(parent);
  node.base = base;
  return base;
}

/** Fields that a query may not touch. */
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

/** One error for all that is wrong. */
function invalid(violations: readonly FieldViolation[]): StatusError {
  return new StatusError(Code.INVALID_ARGUMENT, summarize(violations), { violations });
}
