/**
 * Which requests of HTTP/1 ask for a WebSocket, and what can be wrong with their handshake. Any other `Upgrade` is no
 * business of ours: Node would hand it over as soon as somebody takes upgrades, and is told otherwise here.
 */
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { header, headerValues, type HeaderFields, isHeaderName } from '../headers.js';
import { StatusError } from '../status.js';
import { excerpt } from './refusal.js';

/**
 * The class of requests for a server that takes WebSockets: Node asks its `upgrade` what to do.
 * @param isFree false while an earlier request of the connection is being answered: its answer has to come first.
 */
export function upgradableRequest(isFree: (socket: Socket) => boolean): typeof IncomingMessage {
  return class extends IncomingMessage {
    declare private announced: boolean | null;

    get upgrade(): boolean {
      if (this.announced !== true || this.method === 'CONNECT') return this.announced === true;
      return asksForWebSocket(this) && isFree(this.socket);
    }

    set upgrade(value: boolean | null) {
      this.announced = value;
    }
  };
}

/** True for a GET of HTTP/1.1 that asks for a WebSocket and for nothing else. */
export function asksForWebSocket({ method, httpVersionMajor, httpVersionMinor, headers }: IncomingMessage): boolean {
  const isHttp11 = httpVersionMajor === 1 && httpVersionMinor >= 1;
  return method === 'GET' && isHttp11 && headers.upgrade?.trim().toLowerCase() === 'websocket';
}

/** What RFC 6455 wants of the client. */
export function handshakeProblem(headers: HeaderFields): StatusError | undefined {
  if (header(headers, 'transfer-encoding') !== undefined || Number(header(headers, 'content-length') ?? 0) !== 0) {
    return StatusError.http(400, 'the handshake of a WebSocket cannot have a body');
  }
  const version = joined(headers, 'sec-websocket-version');
  if (version !== '13') {
    return StatusError.http(400, `Sec-WebSocket-Version is ${shown(version)}, expected 13`, {
      headers: [['sec-websocket-version', '13']],
    });
  }
  const key = joined(headers, 'sec-websocket-key');
  if (key === undefined || !/^[+/0-9A-Za-z]{22}==$/.test(key)) {
    return StatusError.http(400, `Sec-WebSocket-Key is ${shown(key)}, expected 16 bytes in base64`);
  }
  const protocols = joined(headers, 'sec-websocket-protocol');
  if (protocols !== undefined && !areNames(protocols.split(',').map((name) => name.trim()))) {
    return StatusError.http(400, `Sec-WebSocket-Protocol is ${shown(protocols)}, expected names, each once`);
  }
  return undefined;
}

/** A header given twice is the list of both. */
function joined(headers: HeaderFields, name: string): string | undefined {
  const values = headerValues(headers, name);
  return values.length === 0 ? undefined : values.join(', ').trim();
}

function shown(value: string | undefined): string {
  return value === undefined ? 'missing' : `"${excerpt(value)}"`;
}

function areNames(names: readonly string[]): boolean {
  return names.length === new Set(names).size && names.every(isHeaderName);
}
