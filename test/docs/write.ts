/** `npm run docs`: writes the pages that are made from the source. */
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../../lib/config/index.js';
import { services } from '../../examples/photoncloud/services.js';
import { apiPage, apiPageFile, runApiCases } from './api-pages.js';
import { guideFile, guidePage, runGuidePages } from './guide-pages.js';
import { optionsPage } from './options-page.js';

writeFileSync(new URL('../../docs/options.md', import.meta.url), optionsPage());
writeFileSync(
  new URL('../../docs/config.schema.json', import.meta.url),
  `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
);

const answers = await runApiCases();
for (const service of services) writeFileSync(apiPageFile(service), apiPage(service, answers.get(service.name)!));

for (const [page, run] of await runGuidePages()) writeFileSync(guideFile(page), guidePage(page, run));
