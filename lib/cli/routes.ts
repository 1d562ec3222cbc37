/** `photongate routes`: lists the routes as a table, as JSON, or as curl lines to paste. */
import { bodyText, routesJson } from '../admin/index.js';
import type { Config } from '../config/index.js';
import { partCurlLine } from '../openapi/index.js';
import { loadReflected } from '../live/index.js';
import { allParts, documentedParts, type PreparedListener, type PreparedPart, prepareProxy } from '../proxy/index.js';
import { urlOf } from '../server/index.js';
import { ExitCode } from './exit-code.js';
import type { Terminal } from './terminal.js';

/** The forms of the list. */
export type RoutesFormat = 'table' | 'json' | 'curl';

/** Lists the routes in the order of the services and their methods. */
export async function routes(config: Config, format: RoutesFormat, terminal: Terminal): Promise<number> {
  const { listeners } = prepareProxy(config, { offline: true, reflected: await loadReflected(config) });
  terminal.output(writers[format](listeners));
  return ExitCode.OK;
}

const writers: Readonly<Record<RoutesFormat, (listeners: readonly PreparedListener[]) => string>> = {
  json: (listeners) => `${JSON.stringify(routesJson(listeners), null, 2)}\n`,
  table: (listeners) => {
    const blocks = listeners.map((listener) => {
      return { listen: listener.config.listen, text: table(allParts(listener).flatMap(partRows)) };
    });
    return blocks.map(({ listen, text }) => (blocks.length > 1 ? `# ${listen}\n${text}` : text)).join('\n');
  },
  curl: (listeners) => {
    const lines = listeners.flatMap((listener) =>
      documentedParts(allParts(listener)).flatMap((part) =>
        part.bindings.map((binding) => partCurlLine(part, binding, urlOf(listener.config))),
      ),
    );
    return lines.map((line) => `${line}\n`).join('');
  },
};

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
