/** The routes of a proxy as JSON: for `photongate routes --json` and the page `/routes`. */
import { allParts, type PreparedListener } from '../proxy/index.js';
import type { Binding } from '../rule/index.js';

/** Every route in the order of the services and their methods. */
export function routesJson(listeners: readonly PreparedListener[]): object[] {
  return listeners.flatMap(listenerJson);
}

/** The body of a rule as it is written. */
export function bodyText({ body }: Binding): string | undefined {
  if (body.kind === 'none') return undefined;
  return body.kind === 'all' ? '*' : body.path.map(({ name }) => name).join('.');
}

function listenerJson(listener: PreparedListener): object[] {
  const { listen } = listener.config;
  return allParts(listener).flatMap(({ config: { prefix, hosts }, bindings }) =>
    bindings.map((binding) => ({ listen, hosts, ...routeJson(binding, prefix) })),
  );
}

function routeJson(binding: Binding, prefix: string): object {
  const { method, httpMethod, template, responseBody, place } = binding;
  return {
    http_method: httpMethod,
    path: `${prefix}${template.source}`,
    rpc: method.fullName,
    body: bodyText(binding) ?? null,
    response_body: responseBody?.map(({ name }) => name).join('.') ?? null,
    client_streaming: method.clientStreaming,
    server_streaming: method.serverStreaming,
    file: place.file,
    line: place.line ?? null,
  };
}
