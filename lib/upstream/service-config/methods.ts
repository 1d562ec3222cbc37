/** Which part of a service config holds for an RPC: that of its own name, else that of its service, else that of all. */
import type { MethodConfig, MethodConfigs } from '../../exchange.js';
import { RetryPolicy } from '../../retry/index.js';
import type { MethodSettings, ServiceConfig } from './kind.js';

/** Undefined: the config says nothing of single RPCs. */
export function compileMethods(config: ServiceConfig | undefined): MethodConfigs | undefined {
  if (config === undefined || config.methods.length === 0) return undefined;
  const byName = new Map<string, MethodConfig>();
  for (const settings of config.methods) {
    const compiled = compileMethod(settings);
    for (const name of settings.names) byName.set(name, compiled);
  }
  return {
    of: (rpc) => byName.get(rpc) ?? byName.get(`${rpc.slice(0, rpc.lastIndexOf('.'))}.*`) ?? byName.get('*'),
  };
}

function compileMethod({ timeoutMs, maxRequestBytes, maxResponseBytes, retries }: MethodSettings): MethodConfig {
  const rules = retries && new RetryPolicy(retries, true);
  return { timeoutMs, maxRequestBytes, maxResponseBytes, retries: rules };
}
