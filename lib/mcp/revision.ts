/**
 * The revisions of MCP. Those before 2026-07-28 begin with `initialize`; since then there is no handshake, and each request
 * says in its `_meta` which revision it speaks. A server that keeps no state can serve both at one endpoint.
 */
import { header, type HeaderFields } from '../headers.js';
import { quote } from '../uri.js';
import { type Members, objectIn, RpcCode, RpcError, type RpcMessage, textIn } from './json-rpc.js';

/** Revisions with a handshake, the newest first. */
const HANDSHAKE_REVISIONS: readonly string[] = ['2025-11-25', '2025-06-18'];
/** Revisions without. */
const STATELESS_REVISIONS: readonly string[] = ['2026-07-28'];

/** All revisions that are spoken, the newest first. */
export const REVISIONS: readonly string[] = [...STATELESS_REVISIONS, ...HANDSHAKE_REVISIONS];

const META = 'io.modelcontextprotocol/';

/** The revision that `initialize` agrees on: the client's, or else the newest. */
export function agreedRevision(asked: string | undefined): string {
  return asked !== undefined && HANDSHAKE_REVISIONS.includes(asked) ? asked : HANDSHAKE_REVISIONS[0]!;
}

/**
 * True for a request of a revision without handshake.
 * @param headers of HTTP; undefined over stdio, which has none
 * @throws RpcError if the request contradicts itself, or speaks a revision that is not spoken here
 */
export function isStateless(
  message: Extract<RpcMessage, { kind: 'request' }>,
  headers: HeaderFields | undefined,
  maxDepth: number,
): boolean {
  const { method, params } = message;
  const meta = objectIn(params, '_meta', maxDepth);
  const inMeta = textIn(meta, `${META}protocolVersion`);
  const inHeader = headers && header(headers, 'mcp-protocol-version');
  if (inMeta === undefined) return isNewHeader(inHeader, method);
  if (headers !== undefined) checkHeaders(headers, message, inMeta);
  if (!STATELESS_REVISIONS.includes(inMeta)) throw unsupported(inMeta);
  if (!meta.has(`${META}clientCapabilities`)) throw missingMeta('clientCapabilities');
  objectIn(meta, `${META}clientCapabilities`, maxDepth);
  return true;
}

/** The header alone cannot make a request stateless; an unknown one is refused. */
function isNewHeader(version: string | undefined, method: string): false {
  // 2025-03-26 is what a client speaks that sends no header.
  if (version === undefined || HANDSHAKE_REVISIONS.includes(version) || version === '2025-03-26') return false;
  if (method === 'initialize') return false;
  throw STATELESS_REVISIONS.includes(version) ? missingMeta('protocolVersion') : unsupported(version);
}

/** What proxies in between read must be what is done. */
function checkHeaders(
  headers: HeaderFields,
  { method, params }: { method: string; params: Members },
  version: string,
): void {
  const named = method === 'tools/call' || method === 'prompts/get' ? 'name' : method === 'resources/read' ? 'uri' : '';
  const expected: [name: string, value: string | undefined][] = [
    ['MCP-Protocol-Version', version],
    ['Mcp-Method', method],
    ...(named === '' ? [] : [['Mcp-Name', textIn(params, named)] satisfies [string, string | undefined]]),
  ];
  for (const [name, value] of expected) {
    const sent = header(headers, name.toLowerCase());
    const found = name === 'Mcp-Name' && sent !== undefined ? decoded(sent) : sent;
    if (found === value) continue;
    const what = found === undefined ? 'is missing' : `is ${quote(found)}`;
    throw new RpcError(
      RpcCode.HEADER_MISMATCH,
      `Header mismatch: ${name} ${what}, and the body says ${value === undefined ? 'nothing' : quote(value)}`,
      400,
    );
  }
}

/** `=?base64?…?=` for what a header cannot carry. */
function decoded(value: string): string {
  const base64 = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value)?.[1];
  return base64 === undefined ? value : Buffer.from(base64, 'base64').toString('utf8');
}

function missingMeta(name: string): RpcError {
  return new RpcError(
    RpcCode.INVALID_PARAMS,
    `_meta has no ${META}${name}, which every request of this revision has`,
    400,
  );
}

function unsupported(requested: string): RpcError {
  return new RpcError(
    RpcCode.UNSUPPORTED_VERSION,
    `Unsupported protocol version: ${quote(requested)}; this server speaks ${REVISIONS.join(', ')}`,
    400,
    JSON.stringify({ supported: REVISIONS, requested }),
  );
}
