/** docs/api: the pages of more than one call do what they say, and say what is done. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { services } from '../../examples/photoncloud/services.js';
import { routesOf } from './api-pages.js';
import { guidePages } from './guide-cases.js';
import { guideFile, guidePage, runGuidePages, wget } from './guide-pages.js';

const done = await runGuidePages();
const methods = services.flatMap((service) =>
  routesOf(service).map(([binding]) => `${binding!.method.service.fullName}/${binding!.method.name}`),
);

for (const page of guidePages) {
  void t.test(page.title, { skip: page.needsWget === true && wget === undefined && 'no wget here' }, (t) => {
    for (const { block, outcomes, output } of done.get(page)!) {
      const wanted = block.outcomes;
      const repeated = wanted.at(-1) === '…';
      t.same(
        repeated ? [...new Set(outcomes)] : outcomes,
        repeated ? wanted.slice(0, -1) : wanted,
        `${block.lines}\n${output}`,
      );
    }
    const text = readFileSync(guideFile(page), 'utf8');
    t.equal(guidePage(page, done.get(page)!), text, `docs/api/${page.name}.md (npm run docs)`);
    for (const [, method] of text.matchAll(/127\.0\.0\.1:500\d\d (\S+)/g)) t.ok(methods.includes(method!), method!);
    t.end();
  });
}
