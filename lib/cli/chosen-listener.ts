/** The one listener that a command is about. */
import type { PreparedListener } from '../proxy/index.js';
import { ConfigError } from '../status.js';

/**
 * The listener with this address, or the only one.
 * @throws ConfigError `which-listener`.
 */
export function chosenListener(listeners: readonly PreparedListener[], address: string | undefined): PreparedListener {
  const known = listeners.map(({ config }) => config.listen);
  const found = address === undefined ? listeners : listeners.filter(({ config }) => config.listen === address);
  if (found.length === 1) return found[0]!;
  throw new ConfigError({
    code: 'which-listener',
    message:
      address === undefined
        ? `the configuration has ${listeners.length} listeners`
        : `no listener, or more than one, has the address ${address}`,
    hint: `choose one by --listener: ${known.join(', ')}`,
  });
}
