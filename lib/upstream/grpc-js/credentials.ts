/**
 * Connections for grpc-js channels, with or without TLS, behind a `HeaderGuard`. grpc-js's own credentials send IP addresses
 * as server names (RFC 6066, section 3 forbids it, and some servers refuse that) and lose the code of an error.
 */
import type { ChannelCredentials, experimental } from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { grpcJs } from '../../packages.js';
import type { TlsMaterial } from '../../tls/index.js';
import type { Target } from '../target.js';
import { MAX_TIMER_MS } from '../options.js';
import { handshake, secureContextOf, serverNameOf } from '../tls.js';
import { type Reason, ReasonError } from '../reason.js';
import { HeaderGuard } from './header-guard.js';
import type { HeaderLists } from './header-lists.js';
import type { Xds } from './xds.js';

type SecureConnector = experimental.SecureConnector;

/** TLS towards one target. */
interface Tls {
  readonly secureContext: SecureContext;
  /** The name that the certificate must have; undefined: the address that is connected to. */
  readonly serverName: string | undefined;
}

/** Credentials that connect through a `HeaderGuard`. */
export interface GuardedCredentials extends ChannelCredentials {
  /** Why the last TLS handshake failed; grpc-js keeps only its text. */
  readonly lastProblem: Reason | undefined;
  /** Drops connections over which no server has spoken yet. */
  abandon(): void;
}

/** How connections are made. */
export interface ConnectLimits {
  readonly maxHeaderBytes: number;
  /** How long a server may take to its first frame of HTTP/2. */
  readonly connectTimeoutMs: number;
}

/**
 * @param material undefined: cleartext.
 * @param xds decides instead, and leaves to `material` only what the control plane says nothing of.
 */
export function guardedCredentials(
  material: TlsMaterial | undefined,
  target: Target,
  authority: string | undefined,
  limits: ConnectLimits,
  lists: HeaderLists,
  xds: Xds | undefined,
): GuardedCredentials {
  const tls: Tls | undefined = material && {
    secureContext: secureContextOf(material),
    serverName: serverNameOf(target, authority),
  };
  const own = ownCredentials(tls);
  return guarded(xds === undefined ? own : xds.credentials(own), limits, lists);
}

/** TLS, or cleartext if it is undefined. */
function ownCredentials(tls: Tls | undefined): ChannelCredentials {
  const { CallCredentials, ChannelCredentials } = grpcJs();
  class Credentials extends ChannelCredentials {
    override _isSecure(): boolean {
      return tls !== undefined;
    }

    override _equals(other: ChannelCredentials): boolean {
      return this === other;
    }

    override _createSecureConnector(
      _target: unknown,
      _options: unknown,
      callCredentials = CallCredentials.createEmpty(),
    ): SecureConnector {
      return {
        connect: async (socket) =>
          tls === undefined ? { socket, secure: false } : { socket: await secured(socket, tls), secure: true },
        waitForReady: () => Promise.resolve(),
        getCallCredentials: () => callCredentials,
        destroy: () => undefined,
      };
    }
  }
  return new Credentials();
}

function secured(socket: Socket, { secureContext, serverName }: Tls): Promise<Socket> {
  return new Promise((resolve, reject) => {
    handshake(socket, secureContext, serverName, (error, secure) => {
      if (secure === undefined) reject(error!);
      else resolve(secure);
    });
  });
}

/**
 * Sockets of connections over which the server has not spoken HTTP/2 yet. grpc-js waits for it without end, does not try
 * another connection meanwhile, and keeps the socket when its channel is closed.
 */
class SilentSockets {
  private readonly timers = new Map<Socket, NodeJS.Timeout>();

  constructor(private readonly timeoutMs: number) {}

  add(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(new Error('ETIMEDOUT')), Math.min(this.timeoutMs, MAX_TIMER_MS));
    timer.unref();
    this.timers.set(socket, timer);
    socket.once('close', () => this.forget(socket)).on('error', () => undefined);
  }

  forget(socket: Socket): void {
    clearTimeout(this.timers.get(socket));
    this.timers.delete(socket);
  }

  destroyAll(): void {
    for (const socket of this.timers.keys()) socket.destroy();
  }
}

function guarded(
  inner: ChannelCredentials,
  { maxHeaderBytes, connectTimeoutMs }: ConnectLimits,
  lists: HeaderLists,
): GuardedCredentials {
  const { ChannelCredentials } = grpcJs();
  class Credentials extends ChannelCredentials implements GuardedCredentials {
    lastProblem: Reason | undefined;
    private readonly silent = new SilentSockets(connectTimeoutMs);

    abandon(): void {
      this.silent.destroyAll();
    }

    override _isSecure(): boolean {
      return inner._isSecure();
    }

    override _equals(other: ChannelCredentials): boolean {
      return this === other;
    }

    override _createSecureConnector(
      ...given: Parameters<ChannelCredentials['_createSecureConnector']>
    ): SecureConnector {
      const connector = inner._createSecureConnector(...given);
      return {
        connect: async (socket) => {
          this.silent.add(socket);
          const { socket: connected, secure } = await connector.connect(socket).catch((error: unknown) => {
            throw this.noticed(error);
          });
          const guard = new HeaderGuard(connected, maxHeaderBytes, lists, () => this.silent.forget(socket));
          // Node's HTTP/2 client takes any Duplex, and grpc-js passes it on.
          return { socket: guard as unknown as Socket, secure };
        },
        waitForReady: () => connector.waitForReady(),
        getCallCredentials: () => connector.getCallCredentials(),
        destroy: () => connector.destroy(),
      };
    }

    private noticed(error: unknown): ReasonError {
      const known = error instanceof ReasonError ? error : ofControlPlane(error as Error);
      this.lastProblem = known.reason;
      return known;
    }
  }
  return new Credentials();
}

/** A handshake by the certificates and names that the control plane told. */
function ofControlPlane(cause: Error): ReasonError {
  const publicText = 'the TLS handshake failed';
  return new ReasonError({ publicText, detail: `${publicText} (${cause.message})` }, { cause });
}
