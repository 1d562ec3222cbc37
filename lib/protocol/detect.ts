/**
 * Detects the protocol of a request by method, content type and one header; anything else is REST. It runs for every request,
 * so the common case only looks at the content type.
 */
import { header } from '../headers.js';
import type { RequestHead } from '../exchange.js';

/** The protocols besides REST, and their kinds of requests. */
export type ProtocolName = 'grpc' | 'grpc-web' | 'grpc-web-text' | 'connect' | 'connect-get' | 'connect-stream';

/** A protocol, and the encoding of its messages. */
export interface Detected {
  readonly name: ProtocolName;
  /** `proto`, `json`, or whatever the client wrote in its content type. */
  readonly subtype: string;
}

const pattern = /^application\/(grpc-web-text|grpc-web|grpc|connect)(?:\+([\w.-]+))?\s*(?:;|$)/i;

/** Undefined for REST. */
export function detectProtocol({ method, headers, query }: RequestHead): Detected | undefined {
  const contentType = header(headers, 'content-type');
  if (contentType === undefined) {
    return method === 'GET' && query !== undefined && /(?:^|&)connect=v1(?:&|$)/.test(query)
      ? { name: 'connect-get', subtype: '' }
      : undefined;
  }
  if (method !== 'POST' || !/^application\//i.test(contentType)) return undefined;
  const match = pattern.exec(contentType);
  if (match !== null) {
    const kind = match[1]!.toLowerCase();
    const name = kind === 'connect' ? 'connect-stream' : (kind as ProtocolName);
    return { name, subtype: match[2]?.toLowerCase() ?? 'proto' };
  }
  const unary = /^application\/(json|proto)\s*(?:;|$)/i.exec(contentType)?.[1]?.toLowerCase();
  // REST also has JSON bodies; only Connect has `application/proto`.
  if (unary === undefined || (unary === 'json' && header(headers, 'connect-protocol-version') === undefined)) {
    return undefined;
  }
  return { name: 'connect', subtype: unary };
}
