/**
 * TLS for channels of grpc-js. Takes the place of its own credentials, which announce IP addresses as server names
 * (RFC 6066, section 3 forbids it, and some servers refuse that) and lose the code of an error.
 */
import { CallCredentials, ChannelCredentials, type experimental } from '@grpc/grpc-js';
import type { SecureContext } from 'node:tls';
import type { TlsMaterial } from '../../tls/index.js';
import type { Target } from '../target.js';
import { handshake, secureContextOf, serverNameOf } from '../tls.js';

/** Credentials for a grpc-js channel; they connect with TLS and check the server's certificate. */
export function tlsCredentials(
  material: TlsMaterial,
  target: Target,
  authority: string | undefined,
): ChannelCredentials {
  return new TlsCredentials(secureContextOf(material), serverNameOf(target, authority));
}

type SecureConnector = experimental.SecureConnector;

class TlsCredentials extends ChannelCredentials {
  constructor(
    private readonly secureContext: SecureContext,
    private readonly name: string | undefined,
  ) {
    super();
  }

  override _isSecure(): boolean {
    return true;
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
      connect: (socket) =>
        new Promise((resolve, reject) => {
          handshake(socket, this.secureContext, this.name, (error, secure) => {
            if (secure === undefined) reject(error!);
            else resolve({ socket: secure, secure: true });
          });
        }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }
}
