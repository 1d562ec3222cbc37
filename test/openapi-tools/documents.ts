/** The documents that tools are tried with, each as a listener serves it. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Config, loadConfig, type Settings } from '../../lib/index.js';
import { prepareProxy } from '../../lib/proxy/index.js';
import { openApiForms } from '../cases/openapi-forms.js';
import { ask } from '../support/exchange.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const etcdProtos = '/usr/share/gocode/src/go.etcd.io/etcd';
const googleServices = ['google.cloud.secretmanager.v1', 'google.firestore.v1'];

type Options = NonNullable<Settings['options']>;

export interface ToolDocument {
  readonly name: string;
  /** The document in a file, with components named in this way. */
  file(names: 'dotted' | 'underscored'): string;
}

/** @param google folder of google-proto-files; undefined: without its documents */
export async function writeDocuments(folder: string, google: string | undefined): Promise<ToolDocument[]> {
  const forms = join(folder, 'forms.proto');
  writeFileSync(forms, openApiForms);
  const fromFile = (name: string, options: Options): Config =>
    loadConfig({ file: join(root, 'examples', name, 'photongate.yaml'), flags: { options } });
  const sources: Record<string, (options: Options) => Config> = {
    photoncloud: (options) => fromFile('photoncloud', options),
    forms: (options) => loadConfig({ flags: { proto: [forms], options } }),
    ...(existsSync(etcdProtos) ? { etcd: (options: Options) => fromFile('etcd', options) } : {}),
  };
  for (const service of google === undefined ? [] : googleServices) {
    const path = service.replaceAll('.', '/');
    sources[service] = (options) =>
      loadConfig({
        flags: { proto: [join(google!, path)], protoPath: [google!], options: { onDuplicate: 'first', ...options } },
      });
  }
  const documents: ToolDocument[] = [];
  for (const [name, configOf] of Object.entries(sources)) {
    const file = (names: string): string => join(folder, names, `${name}.json`);
    for (const openapiNames of ['dotted', 'underscored'] as const) {
      mkdirSync(join(folder, openapiNames), { recursive: true });
      const { listeners } = prepareProxy(configOf({ openapiNames }), { offline: true });
      // Of several listeners the last has everything.
      const { body } = await ask(listeners[listeners.length - 1]!.handler, { target: '/openapi.json' });
      writeFileSync(file(openapiNames), body);
    }
    documents.push({ name, file });
  }
  return documents;
}
