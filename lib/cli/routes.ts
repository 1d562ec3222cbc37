/** `photongate routes`: what is served, as a table for people or JSON for programs. */
import type { Config } from '../config/index.js';
import { prepareProxy } from '../proxy.js';
import type { Binding } from '../rule/index.js';
import type { Terminal } from './terminal.js';

/** Lists the routes in the order of the services and their methods. */
export function routes(config: Config, json: boolean, terminal: Terminal): number {
  const { listeners } = prepareProxy(config, { offline: true });
  if (json) {
    const rows = listeners.flatMap(({ config: { listen }, bindings }) =>
      bindings.map((binding) => ({ listen, ...routeJson(binding) })),
    );
    terminal.output(`${JSON.stringify(rows, null, 2)}\n`);
    return 0;
  }
  for (const { config: { listen }, bindings } of listeners) {
    if (listeners.length > 1) terminal.output(`# ${listen}\n`);
    terminal.output(table(bindings.map(routeRow)));
  }
  return 0;
}

function bodyText({ body }: Binding): string | undefined {
  if (body.kind === 'none') return undefined;
  return body.kind === 'all' ? '*' : body.path.map(({ name }) => name).join('.');
}

function routeJson(binding: Binding): Record<string, unknown> {
  const { method, httpMethod, template, responseBody, place } = binding;
  return {
    http_method: httpMethod,
    path: template.source,
    rpc: method.fullName,
    body: bodyText(binding) ?? null,
    response_body: responseBody?.map(({ name }) => name).join('.') ?? null,
    client_streaming: method.clientStreaming,
    server_streaming: method.serverStreaming,
    file: place.file,
    line: place.line ?? null,
  };
}

const kinds = ['unary', 'server stream', 'client stream', 'bidi stream'];

function routeRow(binding: Binding): string[] {
  const { method, httpMethod, template } = binding;
  const kind = kinds[Number(method.clientStreaming) * 2 + Number(method.serverStreaming)]!;
  return [httpMethod, template.source, bodyText(binding) ?? '-', method.fullName, kind];
}

function table(rows: readonly string[][]): string {
  const all = [['METHOD', 'PATH', 'BODY', 'RPC', 'KIND'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
