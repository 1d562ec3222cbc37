/**
 * What Node's HTTP/1 parser refused, in words that tell what to type. The parser names a code, a position and the bytes of
 * the last read; from these the offending piece is found again.
 */
import { StatusError } from '../status.js';
import { headersTooLong, excerpt, urlTooLong } from './refusal.js';

/** An error of 'clientError'. */
export interface ParserError extends Error {
  readonly code?: string;
  /** What the parser says of the cause. */
  readonly reason?: string;
  /** Index in `rawPacket` at which the parser stopped. */
  readonly bytesParsed?: number;
  /** The bytes of the read in which it stopped: the whole request, or a later piece of it. */
  readonly rawPacket?: Buffer;
}

/**
 * The error to answer; undefined where nobody is left to read an answer.
 * @param inHeaders true where the request line is known to have come in an earlier read: in the headers, or in the trailers
 * behind a body.
 */
export function parserProblem(
  error: ParserError,
  limits: { readonly maxUrlBytes: number; readonly maxHeaderBytes: number; readonly headerTimeoutMs: number },
  inHeaders: boolean,
): StatusError | undefined {
  const packet = error.rawPacket?.toString('latin1') ?? '';
  switch (error.code) {
    case 'HPE_INVALID_URL':
      return invalidTarget(packet);
    case 'HPE_INVALID_CONSTANT':
      return badRequestLine(packet);
    case 'HPE_INVALID_METHOD':
      return invalidMethod(packet);
    case 'HPE_INVALID_VERSION':
      return bad('the request line does not end in HTTP/1.1 and CR LF; write "GET /path HTTP/1.1"');
    case 'HPE_HEADER_OVERFLOW':
      return overflow(packet.slice(0, error.bytesParsed), limits, inHeaders);
    case 'HPE_INVALID_HEADER_TOKEN':
    case 'HPE_CR_EXPECTED':
    case 'HPE_LF_EXPECTED':
      if (/chunk/i.test(error.reason ?? '')) return badChunk(error);
      return bad(`a header is malformed (${error.reason}); write each as "Name: value" on a line of its own`);
    case 'HPE_INVALID_CONTENT_LENGTH':
      if (/transfer-encoding/i.test(error.reason ?? '')) return twoFramings();
      return bad('Content-Length is not a decimal number; write the size of the body in bytes');
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
      return bad('Content-Length stands in the request more than once, expected once');
    case 'HPE_INVALID_TRANSFER_ENCODING':
      if (/content-length/i.test(error.reason ?? '')) return twoFramings();
      return bad('Transfer-Encoding is not "chunked" alone; write that, or Content-Length in its place');
    case 'HPE_INVALID_CHUNK_SIZE':
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return badChunk(error);
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return StatusError.http(408, `the request's head did not come whole within ${limits.headerTimeoutMs / 1000}s`);
    case 'HPE_INVALID_EOF_STATE':
      return bad(
        'the client ended its side before its request was whole; send the empty line behind the headers, and the body to its last byte or chunk',
      );
    default:
      if (/chunk/i.test(error.reason ?? '')) return badChunk(error);
      return error.code?.startsWith('HPE_')
        ? bad(`the request is malformed (${error.reason ?? error.code})`)
        : undefined;
  }
}

function badChunk({ reason }: ParserError): StatusError {
  return bad(`the chunked body is malformed (${reason}); write each chunk's size in hex on a line of its own`);
}

function twoFramings(): StatusError {
  return bad(
    'the request has both Content-Length and Transfer-Encoding, of which only one can be meant; write one of them',
  );
}

function bad(message: string): StatusError {
  return StatusError.http(400, message);
}

function firstLine(packet: string): string {
  const end = packet.search(/[\r\n]/);
  return end < 0 ? packet : packet.slice(0, end);
}

const advice = "or let curl do it: curl -G --data-urlencode 'name=value' URL";

function invalidTarget(packet: string): StatusError {
  const target = firstLine(packet).replace(/^[A-Z-]+ /, '');
  const special = /[\x80-\xff]+/.exec(target)?.[0];
  if (special !== undefined) return nonAsciiTarget(special);
  const control = /[\x00-\x1f\x7f]/.exec(target)?.[0];
  if (control !== undefined) {
    const escape = encodeURIComponent(control);
    return bad(`the URL has a control character in it; write it as ${escape}, ${advice}`);
  }
  const path = target.split(' ')[0]!;
  return bad(`the request target "${excerpt(path)}" does not start with a slash; write /${excerpt(path)}`);
}

/** A URL that has bytes above ASCII in it; `bytes` is the first run of them, in Latin-1. */
export function nonAsciiTarget(bytes: string): StatusError {
  const run = Buffer.from(bytes.slice(0, 30), 'latin1');
  const text = run.toString('utf8').replace(/\ufffd+$/, '');
  if (text === '' || text.includes('\ufffd')) {
    return bad(`the URL has bytes in it that are neither ASCII nor UTF-8; percent-encode them as UTF-8, ${advice}`);
  }
  return bad(`the URL has "${text}" in it unescaped; write ${encodeURIComponent(text)}, ${advice}`);
}

function badRequestLine(packet: string): StatusError {
  const words = firstLine(packet).split(' ');
  if (words.length > 3 && words.at(-1)!.startsWith('HTTP/')) {
    return bad(`the URL has a space in it; write it as %20, ${advice}`);
  }
  return bad('the request line is not METHOD, URL and HTTP/1.1 with one space between each');
}

function invalidMethod(packet: string): StatusError {
  if (packet.startsWith('\x16\x03')) {
    return bad('this port speaks HTTP without TLS; write http:// instead of https://');
  }
  const method = /^[!-~]{1,30}(?= )/.exec(packet)?.[0];
  if (method === undefined) return bad('the request does not start with a method; write "GET /path HTTP/1.1"');
  const hint = /^[a-z]+$/.test(method) ? `write ${method.toUpperCase()}` : 'over HTTP/2 any name is';
  return bad(`"${method}" is not a method that HTTP/1 is served with; ${hint}`);
}

/**
 * The parser counts URL and headers together and stops at the end of a piece of either. Where it stopped in a later read than
 * the first, a piece without a space or a line's end may be of both, and `inHeaders` decides.
 */
function overflow(
  piece: string,
  { maxUrlBytes, maxHeaderBytes }: { readonly maxUrlBytes: number; readonly maxHeaderBytes: number },
  inHeaders: boolean,
): StatusError {
  const line = firstLine(piece);
  const startsRequest = /^[A-Z-]+ \S/.test(line);
  const isUrl = startsRequest ? line.length > maxUrlBytes : !inHeaders && !/[ \r\n]/.test(piece);
  return isUrl ? urlTooLong(maxUrlBytes) : headersTooLong(maxHeaderBytes);
}
