/**
 * Which client of `lib/upstream` the tests run over. Suites of that folder run over both, one after the other. All others run
 * over the default, or over what the process was told: `node --import tsx test/e2e/http.test.ts --upstream-client=grpc-js`,
 * `npx tap --test-arg=--upstream-client=grpc-js build/test/e2e/*.test.js`.
 */
import { defaultUpstreamOptions, type UpstreamClient } from '../../lib/upstream/index.js';

export const upstreamClients: readonly UpstreamClient[] = ['native', 'grpc-js'];

/** The client that this process was told to use. */
export function upstreamClientUnderTest(): UpstreamClient {
  const told = process.argv.find((arg) => arg.startsWith('--upstream-client='))?.split('=')[1];
  return upstreamClients.find((client) => client === told) ?? defaultUpstreamOptions.upstreamClient;
}
