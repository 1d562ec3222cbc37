/** `npm run docs`: writes the pages that are made from the source. */
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../../lib/config/index.js';
import { optionsPage } from './options-page.js';

writeFileSync(new URL('../../docs/options.md', import.meta.url), optionsPage());
writeFileSync(
  new URL('../../docs/config.schema.json', import.meta.url),
  `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
);
