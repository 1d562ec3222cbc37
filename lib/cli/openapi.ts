/** `photongate openapi`: the OpenAPI document of a listener's routes, to standard output or into a file. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../config/index.js';
import { loadReflected } from '../live/index.js';
import { openApiDocument, printDocument, titleOf } from '../openapi/index.js';
import { documentedParts, type PreparedListener, prepareProxy } from '../proxy.js';
import { ConfigError } from '../status.js';
import { urlOf } from '../server/index.js';
import { ExitCode } from './exit-code.js';
import type { Terminal } from './terminal.js';

export interface OpenApiRequest {
  /** Path of the file; undefined: standard output. */
  readonly output: string | undefined;
  /** Default: by the file's name, else YAML. */
  readonly format: 'json' | 'yaml' | undefined;
  /** Base URL in the document; default: where the listener listens. */
  readonly server: string | undefined;
  /** The listener, as the configuration writes its address; needed where there are several. */
  readonly listener: string | undefined;
}

/** @throws ConfigError where the configuration is bad, or has several listeners and none is chosen. */
export async function openapi(config: Config, request: OpenApiRequest, terminal: Terminal): Promise<number> {
  const { listeners } = prepareProxy(config, { offline: true, reflected: await loadReflected(config) });
  const listener = chosen(listeners, request.listener);
  const { options } = listener.config.root;
  const bindings = listener.parts.flatMap((part) => part.bindings);
  const document = openApiDocument(documentedParts(listener.parts), {
    title: options.openapiTitle ?? titleOf(bindings),
    version: options.openapiVersion,
    server: request.server ?? urlOf(listener.config),
  });
  const format = request.format ?? (request.output?.endsWith('.json') === true ? 'json' : 'yaml');
  const text = printDocument(document, format);
  if (request.output === undefined) terminal.output(text);
  else write(resolve(terminal.workingDirectory, request.output), text);
  return ExitCode.OK;
}

function chosen(listeners: readonly PreparedListener[], address: string | undefined): PreparedListener {
  const known = listeners.map(({ config }) => config.listen);
  const found = address === undefined ? listeners : listeners.filter(({ config }) => config.listen === address);
  if (found.length === 1) return found[0]!;
  throw new ConfigError({
    code: 'which-listener',
    message:
      address === undefined
        ? `the configuration has ${listeners.length} listeners, each with a document of its own`
        : `no listener, or more than one, has the address ${address}`,
    hint: `choose one by --listener: ${known.join(', ')}`,
  });
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new ConfigError(
      {
        code: 'output-file',
        message: `the document cannot be written: ${(error as Error).message}`,
        hint: 'give --output a path in a folder that exists',
      },
      { cause: error },
    );
  }
}
