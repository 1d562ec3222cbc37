/** Issuers of tokens for tests: keys, signed and forged tokens, and a server for key sets that counts who asks. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export interface TestKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export async function testKey(kid: string, alg = 'EdDSA'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Claims of a token; those that are undefined are left out. Default: a good one for `issuer` and `audience` "api". */
export type TestClaims = Readonly<Record<string, unknown>>;

export const now = (): number => Math.floor(Date.now() / 1000);

export function signed(key: TestKey, claims: TestClaims = {}, header: object = {}): Promise<string> {
  const all = { iss: 'issuer', aud: 'api', sub: 'ada', exp: now() + 300, ...claims };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(given).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);
}

/** A token as somebody without the key makes it: any head, any signature. */
export function forged(header: object, claims: TestClaims = {}, signature = ''): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const all = { iss: 'issuer', aud: 'api', sub: 'ada', exp: now() + 300, ...claims };
  return `${part(header)}.${part(all)}.${signature}`;
}

export interface JwksServer {
  readonly url: string;
  /** How often it was asked. */
  count: number;
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  close(): void;
}

export async function startJwksServer(...keys: readonly TestKey[]): Promise<JwksServer> {
  const http = createServer((request, response) => {
    server.count++;
    server.answer(request, response);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server: JwksServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/jwks.json`,
    count: 0,
    answer: (_request, response) => response.end(jwksOf(...keys)),
    close() {
      http.closeAllConnections();
      http.close();
    },
  };
  return server;
}

export function jwksOf(...keys: readonly TestKey[]): string {
  return JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) });
}
