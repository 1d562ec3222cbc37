/** `photongate routes`: what is served, as a table for people, JSON for programs, or curl lines to paste. */
import type { Config } from '../config/index.js';
import { curlLine } from '../openapi/index.js';
import { loadReflected } from '../live/index.js';
import { type PreparedListener, type PreparedPart, prepareProxy } from '../proxy.js';
import type { Binding } from '../rule/index.js';
import { urlOf } from '../server/index.js';
import { ExitCode } from './exit-code.js';
import type { Terminal } from './terminal.js';

export type RoutesFormat = 'table' | 'json' | 'curl';

/** Lists the routes in the order of the services and their methods. */
export async function routes(config: Config, format: RoutesFormat, terminal: Terminal): Promise<number> {
  const { listeners } = prepareProxy(config, { offline: true, reflected: await loadReflected(config) });
  terminal.output(writers[format](listeners));
  return ExitCode.OK;
}

const writers: Readonly<Record<RoutesFormat, (listeners: readonly PreparedListener[]) => string>> = {
  json: (listeners) => `${JSON.stringify(listeners.flatMap(listenerJson), null, 2)}\n`,
  table: (listeners) => {
    const blocks = listeners.map(({ config: { listen }, parts }) => ({ listen, text: table(parts.flatMap(partRows)) }));
    return blocks.map(({ listen, text }) => (blocks.length > 1 ? `# ${listen}\n${text}` : text)).join('\n');
  },
  curl: (listeners) => {
    const lines = listeners.flatMap(({ config, parts }) =>
      parts.flatMap((part) =>
        part.bindings.map((binding) =>
          curlLine(
            binding,
            `${urlOf(config)}${part.config.prefix}`,
            (path) => part.bindingFor(binding.httpMethod === '*' ? 'GET' : binding.httpMethod, path) === binding,
          ),
        ),
      ),
    );
    return lines.map((line) => `${line}\n`).join('');
  },
};

function bodyText({ body }: Binding): string | undefined {
  if (body.kind === 'none') return undefined;
  return body.kind === 'all' ? '*' : body.path.map(({ name }) => name).join('.');
}

function listenerJson({ config: { listen }, parts }: PreparedListener): object[] {
  return parts.flatMap(({ config: { prefix, hosts }, bindings }) =>
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

const kinds = ['unary', 'server stream', 'client stream', 'bidi stream'];

function partRows({ config: { prefix, hosts }, bindings }: PreparedPart): string[][] {
  const host = hosts.length === 0 ? '' : hosts.join(',');
  return bindings.map((binding) => {
    const { method, httpMethod, template } = binding;
    const kind = kinds[Number(method.clientStreaming) * 2 + Number(method.serverStreaming)]!;
    const path = `${host}${prefix}${template.source}`;
    return [httpMethod, path, bodyText(binding) ?? '-', method.fullName, kind];
  });
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
