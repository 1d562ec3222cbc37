/**
 * Path + query + body → the bytes of the request message. Compiled once for each binding; all that is wrong with a
 * request's values is collected and thrown as one StatusError.
 */
import { summarize } from '../codec/index.js';
import type { Captures, RequestHead } from '../exchange.js';
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import { Code, type FieldViolation, StatusError } from '../status.js';
import { HeaderBinder } from './bound-headers.js';
import { bodyKindOf, type BodyKind, compileBodyReader, isBlank, unexpectedBody } from './body.js';
import type { TranscodeContext } from './context.js';
import { PathBinder } from './path.js';
import { QueryBinder, type Reserved, takenOneofs } from './query.js';
import { MessageNode, type WeaveContext } from './weave.js';

/** A request whose head was read; its body is still to come. */
export interface OpenRequest {
  readonly node: MessageNode;
  readonly violations: FieldViolation[];
  readonly bodyKind: BodyKind;
}

export interface RequestReader {
  /** Reads path and query, and refuses by the head what need not wait for the body. */
  open(head: RequestHead, captures: Captures): OpenRequest;
  /** The request message. */
  finish(request: OpenRequest, body: Buffer): Buffer;
}

/** @throws ConfigError where the binding cannot work. */
export function compileRequest(binding: Binding, shared: TranscodeContext): RequestReader {
  const { codec, options, buffers } = shared;
  const out = buffers.message;
  const path = new PathBinder(binding, codec, options.urlUnescape);
  const boundHeaders = new HeaderBinder(binding, codec);
  const pathOneofs = binding.variables.flatMap(({ fieldPath }) => takenOneofs(fieldPath, 'the path'));
  const query = new QueryBinder(
    'query parameter',
    binding.body.kind === 'all' ? undefined : binding.method.input,
    reservedPaths(binding),
    codec,
    options,
  );
  const takesBody = binding.body.kind !== 'none';
  const readBody = takesBody ? compileBodyReader(binding, shared) : undefined;
  const bodyParents = binding.body.kind === 'field' ? binding.body.path.slice(0, -1) : [];

  return {
    open(head, captures) {
      const request: OpenRequest = {
        node: new MessageNode(),
        violations: [],
        bodyKind: takesBody && head.hasBody ? bodyKindOf(head.headers) : 'json',
      };
      path.bind(head.path, captures, request.node, request.violations);
      const headerOneofs = boundHeaders.bind(head.headers, request.node, request.violations);
      if (head.query !== undefined) {
        query.bind(
          head.query,
          request.node,
          request.violations,
          headerOneofs.length === 0 ? pathOneofs : [...pathOneofs, ...headerOneofs],
        );
      }
      return request;
    },

    finish({ node, violations, bodyKind }, body) {
      const context: WeaveContext = {
        violations,
        scratch: buffers.scratch,
        overwritePathFields: options.overwritePathFields,
      };
      if (readBody !== undefined) {
        attachBody(node, bodyParents, () => readBody(body, bodyKind, context), violations);
      } else if (!options.ignoreUnexpectedBody && !isBlank(body)) {
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

/** Puts the body's fields where they belong; its violations join those of path and query. */
function attachBody(
  root: MessageNode,
  parents: readonly FieldDescriptor[],
  read: () => Buffer | undefined,
  violations: FieldViolation[],
): void {
  let base: Buffer | undefined;
  try {
    base = read();
  } catch (error) {
    if (!(error instanceof StatusError) || error.violations.length === 0 || violations.length === 0) throw error;
    violations.push(...error.violations);
    return;
  }
  if (base === undefined || base.length === 0) return;
  let node = root;
  for (const parent of parents) node = node.child(parent);
  node.base = base;
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
