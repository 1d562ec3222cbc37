/** `npm run docs`: writes the pages and tables that are generated. With `-- options`, only those of options. */
import { readFileSync, writeFileSync } from 'node:fs';
import { configJsonSchema } from '../../lib/config/index.js';
import { services } from '../../examples/photoncloud/services.js';
import { servicePage, withCalls } from './api-pages.js';
import { envoyKeysPage } from './envoy-page.js';
import { optionsPage, presetsPage } from './options-page.js';

writeFileSync(new URL('../../docs/options.md', import.meta.url), optionsPage());
writeFileSync(new URL('../../docs/presets.md', import.meta.url), presetsPage());
writeFileSync(
  new URL('../../docs/config.schema.json', import.meta.url),
  `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
);

writeFileSync(new URL('../../docs/envoy-keys.md', import.meta.url), envoyKeysPage());

if (process.argv.includes('options')) process.exit();

for (const service of services) {
  const page = new URL(`../../${servicePage(service)}`, import.meta.url);
  writeFileSync(page, withCalls(readFileSync(page, 'utf8'), service));
}
