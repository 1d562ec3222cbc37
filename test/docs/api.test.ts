/** docs/api: each curl line of its table answers as the table says, there is one for each RPC, and the pages show them. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { services } from '../../examples/photoncloud/services.js';
import { apiCases } from './api-cases.js';
import { apiPage, apiPageFile, routesOf, runApiCases } from './api-pages.js';

const answers = await runApiCases();

for (const service of services) {
  const names = routesOf(service).map(([binding]) => binding!.method.name);
  const rows = apiCases[service.name]!;
  t.same(
    names.filter((name) => !rows.some(({ rpc }) => rpc === name)),
    [],
    `${service.name}: an RPC without a line`,
  );
  t.same(
    rows.filter(({ rpc }) => !names.includes(rpc)).map(({ rpc }) => rpc),
    [],
    `${service.name}: a line without an RPC`,
  );
  for (const { case: each, status, answer } of answers.get(service.name)!) {
    t.equal(status, each.status ?? 200, `${each.line}\n${answer}`);
  }
  t.equal(
    apiPage(service, answers.get(service.name)!),
    readFileSync(apiPageFile(service), 'utf8'),
    `docs/api/${service.name}.md (npm run docs)`,
  );
}
t.end();
