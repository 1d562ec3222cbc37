/** `photongate openapi` and `asyncapi`: the document of a listener's routes, or of its streams, to standard output or into a file. */
import type { Config } from '../config/index.js';
import { loadReflected } from '../live/index.js';
import { asyncApiDocument, openApiDocument, printDocument } from '../openapi/index.js';
import { documentedParts, prepareProxy } from '../proxy/index.js';
import { urlOf } from '../server/index.js';
import { chosenListener } from './chosen-listener.js';
import { ExitCode } from './exit-code.js';
import { writeOutput } from './output-file.js';
import type { Terminal } from './terminal.js';

/** The flags of the commands. */
export interface DocumentRequest {
  readonly kind: 'openapi' | 'asyncapi';
  /** Path of the file; undefined: standard output. */
  readonly output: string | undefined;
  /** Default: by the file's name, else YAML. */
  readonly format: 'json' | 'yaml' | undefined;
  /** Base URL in the document. Default: that of the listener. */
  readonly server: string | undefined;
  /** The address of the listener as in the configuration; required if there are several. */
  readonly listener: string | undefined;
}

/** Prints or writes the document. @throws ConfigError if the configuration is wrong or a listener must be chosen */
export async function writeDocument(config: Config, request: DocumentRequest, terminal: Terminal): Promise<number> {
  const { listeners } = prepareProxy(config, { offline: true, reflected: await loadReflected(config) });
  const listener = chosenListener(listeners, request.listener);
  const { options } = listener.config.root;
  const server = request.server ?? urlOf(listener.config);
  const make = request.kind === 'openapi' ? openApiDocument : asyncApiDocument;
  const document = make(documentedParts(listener.parts), {
    title: options.openapiTitle,
    version: options.openapiVersion,
    names: options.openapiNames,
    spec: options.openapiSpec,
    self: options.openapi ? `${server.replace(/\/$/, '')}/openapi.json` : undefined,
    server,
    isServerGiven: request.server !== undefined,
  });
  const format = request.format ?? (request.output?.endsWith('.json') === true ? 'json' : 'yaml');
  const text = printDocument(document, format);
  writeOutput(text, request.output, 'the document', terminal);
  return ExitCode.OK;
}
