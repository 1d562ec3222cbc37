/**
 * Everything that relies on how Node works inside, and that its documentation does not promise. The tests of this room run on
 * Node 20, and in CI on the newest line too.
 */
import type { Server, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** Starts the timers of an HTTP server that never listens: Node starts them with this event only. */
export function startTimers(server: Server): void {
  server.emit('listening');
}

/** Lets clients end their side after a request and still get the response. `createServer` does not pass this option on. */
export function allowHalfOpen(server: Server): void {
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
}

/** Has `linger` called instead of `destroySoon`, which Node calls after the last response of a connection. */
export function replaceDestroySoon(socket: Socket, linger: () => void): void {
  socket.destroySoon = linger;
}

/** Ends the socket as `destroySoon` does if nobody has replaced it. */
export function destroySoon(socket: Socket): void {
  Socket.prototype.destroySoon.call(socket);
}

/**
 * Closes a connection by a TCP reset, so that the client notices that its response is incomplete; without one if the
 * connection cannot have it. libuv refuses a reset while the end of the stream is on its way, and Node takes the socket for
 * closed all the same: the descriptor would stay open for ever, and the process would spin at its exit.
 * @param socket what the responses are written to
 * @param tcp the connection below it, if `socket` is one of TLS
 */
export function resetConnection(socket: Duplex, tcp: Duplex = socket): void {
  const isEnding = [socket, tcp].some(({ writableEnded, writableFinished }) => writableEnded && !writableFinished);
  const canReset = tcp instanceof Socket && !(tcp instanceof TLSSocket) && tcp.remoteAddress !== undefined;
  if (canReset && !isEnding) tcp.resetAndDestroy();
  else tcp.destroy();
}

/**
 * Pauses a socket that Node's HTTP server is just resuming. The server resumes late after each request, and sets the flag of
 * the stream first: if that says "paused" already, only the event makes the server stop its parser.
 */
export function pauseAgain(socket: Socket): void {
  if (socket.readableFlowing === false) socket.emit('pause');
  else socket.pause();
}

/**
 * Calls `step` once everything that was written to a response is with its socket. A response behind another one (pipelining)
 * gets its socket with the event 'socket'; Node 22 and later keep the chunks of one tick together until its end.
 */
export function afterChunks(response: ServerResponse, step: () => void): void {
  const soon = (): void => void setImmediate(step);
  if (response.socket === null) response.once('socket', soon);
  else soon();
}

/** Calls `listener` with the trailers as they came: a third argument that Node's documentation and types leave out. */
export function onRawTrailers(stream: ServerHttp2Stream, listener: (trailers: readonly string[]) => void): void {
  stream.once('trailers', (...[, , raw]: [fields: unknown, flags: number, raw: readonly string[]]) => listener(raw));
}

/** Keeps a response of `node:http2`'s compatibility API, which nobody uses any more, from sending its trailers before ours. */
export function silenceResponse(stream: ServerHttp2Stream): void {
  stream.removeAllListeners('wantTrailers');
}

/** Has a server read a connection from its start, with or without TLS. */
export function serveConnection(server: NodeJS.EventEmitter, socket: Duplex): void {
  server.emit(isEncrypted(socket) ? 'secureConnection' : 'connection', socket);
}

/** True for a socket of TLS, also for the stand-in that `node:http2` shows. */
export function isEncrypted(socket: object): socket is TLSSocket {
  return (socket as Partial<TLSSocket>).encrypted === true;
}

/** How many bytes the system has taken of one write that is still on its way. Node's own idle timer uses it. */
interface SocketHandle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

/** Undefined for a socket that a test of an application makes up, or that is closed. */
export function handleOf(socket: Socket): SocketHandle | undefined {
  const { _handle: handle } = socket as Socket & { _handle?: Partial<SocketHandle> | null };
  const isKnown = handle?.writeQueueSize !== undefined && handle.bytesWritten !== undefined;
  return isKnown ? (handle as SocketHandle) : undefined;
}
