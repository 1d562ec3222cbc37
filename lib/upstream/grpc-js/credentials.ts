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
import { handshake, secureContextOf, serverNameOf } from '../tls.js';
import type { Reason } from '../reason.js';
import { HeaderGuard } from './header-guard.js';
import type { HeaderLists } from './header-lists.js';

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
}

/** @param material undefined: cleartext. */
export function guardedCredentials(
  material: TlsMaterial | undefined,
  target: Target,
  authority: string | undefined,
  maxHeaderBytes: number,
  lists: HeaderLists,
): GuardedCredentials {
  const tls: Tls | undefined = material && {
    secureContext: secureContextOf(material),
    serverName: serverNameOf(target, authority),
  };
  const { CallCredentials, ChannelCredentials } = grpcJs();
  class Credentials extends ChannelCredentials implements GuardedCredentials {
    lastProblem: Reason | undefined;

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
        connect: async (socket) => {
          const secured = tls === undefined ? socket : await this.secure(socket, tls);
          const guard = new HeaderGuard(secured, maxHeaderBytes, lists);
          // Node's HTTP/2 client takes any Duplex, and grpc-js passes it on.
          return { socket: guard as unknown as Socket, secure: tls !== undefined };
        },
        waitForReady: () => Promise.resolve(),
        getCallCredentials: () => callCredentials,
        destroy: () => undefined,
      };
    }

    private secure(socket: Socket, { secureContext, serverName }: Tls): Promise<Socket> {
      return new Promise((resolve, reject) => {
        handshake(socket, secureContext, serverName, (error, secure) => {
          if (secure !== undefined) return resolve(secure);
          this.lastProblem = error!.reason;
          reject(error!);
        });
      });
    }
  }
  return new Credentials();
}
