/**
 * JSON-RPC 2.0 as MCP uses it: one message at a time, read without building objects, so that ids, progress tokens and
 * arguments go on exactly as they were written. Knows nothing of what methods mean.
 */
import { JsonScanner, JsonSyntaxError } from '../codec/index.js';
import { quote } from '../uri.js';

/** The error codes of JSON-RPC and of MCP (revision 2026-07-28, "Error Codes"). */
export const RpcCode = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  INTERNAL_ERROR: -32603,
  HEADER_MISMATCH: -32020,
  UNSUPPORTED_VERSION: -32022,
} as const;

/** A message that is answered with an error of JSON-RPC. */
export class RpcError extends Error {
  /**
   * @param httpStatus of the answer over HTTP. Default: that of the revision
   * @param data JSON text
   */
  constructor(
    readonly code: number,
    message: string,
    readonly httpStatus?: number,
    readonly data?: string,
  ) {
    super(message);
  }
}

/** The members of a JSON object, each as it was written. */
export type Members = ReadonlyMap<string, Buffer>;

/** One message. */
export type RpcMessage =
  | { readonly kind: 'request'; readonly id: string; readonly method: string; readonly params: Members }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Members }
  /** An answer to a question that this server never asks. */
  | { readonly kind: 'response' };

/** Ids and tokens are echoed, so they have a limit of their own. */
const MAX_ID_BYTES = 1024;

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const QUOTE = 0x22;

/**
 * Reads one message.
 * @param maxDepth how deep it may be nested
 * @throws RpcError, with the id if that could be read: see `idOf`
 */
export function readMessage(text: Buffer, maxDepth: number): RpcMessage {
  const members = readObject(text, maxDepth);
  const version = members.get('jsonrpc');
  if (version?.toString() !== '"2.0"') {
    throw invalid(`jsonrpc is ${shown(version)}, expected "2.0"`);
  }
  const id = idIn(members);
  const method = textIn(members, 'method', RpcCode.INVALID_REQUEST);
  if (method === undefined) {
    if (members.has('result') || members.has('error')) return { kind: 'response' };
    throw invalid('the message has no method');
  }
  const params = members.get('params');
  if (params !== undefined && params[0] !== OPEN_BRACE) {
    throw new RpcError(RpcCode.INVALID_PARAMS, `params is ${shown(params)}, expected an object`);
  }
  const read = params === undefined ? none : readObject(params, maxDepth);
  return id === undefined
    ? { kind: 'notification', method, params: read }
    : { kind: 'request', id, method, params: read };
}

/** The id of a message that may be wrong in other ways; `null` if it has none that can be read. */
export function idOf(text: Buffer, maxDepth: number): string {
  try {
    return idIn(readObject(text, maxDepth)) ?? 'null';
  } catch (error) {
    if (error instanceof RpcError) return 'null';
    throw error;
  }
}

const none: Members = new Map();

/** @throws RpcError if the text is no JSON object */
export function readObject(text: Buffer, maxDepth: number): Members {
  const scanner = new JsonScanner(text, maxDepth);
  const members = new Map<string, Buffer>();
  try {
    const first = scanner.next();
    if (first === OPEN_BRACKET) {
      throw invalid('found an array; batches are not part of MCP since 2025-06-18, send one message at a time');
    }
    if (first !== OPEN_BRACE) {
      scanner.skipValue();
      scanner.expectEnd();
      throw invalid('the message is not a JSON object');
    }
    if (scanner.openObject()) {
      do {
        scanner.string();
        const name = scanner.text.toString('utf8', scanner.textStart, scanner.textEnd);
        scanner.colon();
        const start = scanner.pos;
        scanner.skipValue();
        if (members.has(name)) throw invalid(`${quote(name)} stands twice in one object`);
        members.set(name, text.subarray(start, scanner.pos));
      } while (scanner.moreMembers());
    }
    scanner.expectEnd();
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw new RpcError(RpcCode.PARSE_ERROR, `the message is no JSON: ${error.message}, at byte ${error.offset}`);
  }
  return members;
}

/** The elements of a JSON array whose syntax is good, each as it was written; undefined if it is none. */
export function readElements(text: Buffer, maxDepth: number): Buffer[] | undefined {
  const scanner = new JsonScanner(text, maxDepth);
  if (scanner.next() !== OPEN_BRACKET) return undefined;
  const elements: Buffer[] = [];
  if (!scanner.openArray()) return elements;
  do {
    scanner.next();
    const start = scanner.pos;
    scanner.skipValue();
    elements.push(text.subarray(start, scanner.pos));
  } while (scanner.moreElements());
  return elements;
}

/** An object among the members; empty if it is not there. */
export function objectIn(members: Members, name: string, maxDepth: number): Members {
  const value = members.get(name);
  if (value === undefined) return none;
  if (value[0] === OPEN_BRACE) return readObject(value, maxDepth);
  throw new RpcError(RpcCode.INVALID_PARAMS, `${name} is ${shown(value)}, expected an object`);
}

/** A string among the members; undefined if it is not there. */
export function textIn(members: Members, name: string, code: number = RpcCode.INVALID_PARAMS): string | undefined {
  const value = members.get(name);
  if (value === undefined) return undefined;
  if (value[0] === QUOTE) return String(JSON.parse(value.toString()));
  throw new RpcError(code, `${name} is ${shown(value)}, expected a string`);
}

/**
 * An id or a progress token among the members, as JSON text in one form, however it was escaped.
 * @throws RpcError if it is neither a string nor an integer, or too long
 */
export function tokenIn(members: Members, name: string, code: number = RpcCode.INVALID_PARAMS): string | undefined {
  const value = members.get(name);
  if (value === undefined) return undefined;
  if (value.length > MAX_ID_BYTES) {
    throw new RpcError(code, `${name} has ${value.length} bytes, expected at most ${MAX_ID_BYTES}`);
  }
  const text = value.toString();
  if (/^-?\d+$/.test(text)) return text;
  if (value[0] === QUOTE) return JSON.stringify(JSON.parse(text));
  throw new RpcError(code, `${name} is ${shown(value)}, expected a string or an integer`);
}

function idIn(members: Members): string | undefined {
  return tokenIn(members, 'id', RpcCode.INVALID_REQUEST);
}

function invalid(message: string): RpcError {
  return new RpcError(RpcCode.INVALID_REQUEST, message);
}

/** What was found, in a few words. */
function shown(value: Buffer | undefined): string {
  if (value === undefined) return 'missing';
  if (value[0] === OPEN_BRACE) return 'an object';
  if (value[0] === OPEN_BRACKET) return 'an array';
  return value.length > 40 ? `${value.toString('utf8', 0, 40)}…` : value.toString();
}

/** An answer with a result. @param result the JSON text of an object, in pieces */
export function resultMessage(id: string, ...result: readonly (string | Buffer)[]): Buffer {
  const parts = [`{"jsonrpc":"2.0","id":${id},"result":`, ...result, '}'];
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

/** An answer with an error. */
export function errorMessage(id: string, { code, message, data }: Pick<RpcError, 'code' | 'message' | 'data'>): Buffer {
  const more = data === undefined ? '' : `,"data":${data}`;
  return Buffer.from(
    `{"jsonrpc":"2.0","id":${id},"error":{"code":${code},"message":${JSON.stringify(message.toWellFormed())}${more}}}`,
  );
}

/** A notification. @param params JSON text */
export function notificationMessage(method: string, params: string): Buffer {
  return Buffer.from(`{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${params}}`);
}
