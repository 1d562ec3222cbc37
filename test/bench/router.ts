/** Time of one `PathMatcher.match`: a small table as most services have, and one of 5,000 routes. */
import { PathMatcherBuilder, type PathMatcher } from '../../lib/router/index.js';
import { parseTemplate } from '../../lib/rule/template.js';
import { ProblemList } from '../../lib/status.js';
import { once } from './once.js';

export interface RouterBenchmark {
  readonly name: string;
  readonly nsPerMatch: number;
}

const smallTable = [
  'GET /v1/shelves',
  'POST /v1/shelves',
  'GET /v1/shelves/{shelf}',
  'DELETE /v1/shelves/{shelf}',
  'GET /v1/shelves/{shelf}/books',
  'POST /v1/shelves/{shelf}/books',
  'GET /v1/{name=shelves/*/books/*}',
  'PATCH /v1/{book.name=shelves/*/books/*}',
  'DELETE /v1/{name=shelves/*/books/*}',
  'POST /v1/{name=shelves/*}:merge',
  'GET /v1/files/{path=**}',
  'GET /v1/watch',
];

const largeTable = Array.from({ length: 1000 }, (_, index) => index).flatMap((index) => [
  `GET /v1/projects/{project}/kind${index}`,
  `POST /v1/projects/{project}/kind${index}`,
  `GET /v1/{name=projects/*/kind${index}/*}`,
  `DELETE /v1/{name=projects/*/kind${index}/*}`,
  `POST /v1/{name=projects/*/kind${index}/*}:undelete`,
]);

/** Runs each case for about `milliseconds`, after a warm-up of the same length. */
export function benchRouter(milliseconds = once ? 0 : 300): RouterBenchmark[] {
  const small = matcherOf(smallTable);
  const large = matcherOf(largeTable);
  return [
    measure('12 routes, literal', small, 'GET', ['/v1/shelves', '/v1/watch'], milliseconds),
    measure('12 routes, two variables deep', small, 'GET', variants('/v1/shelves/7/books/item'), milliseconds),
    measure('12 routes, escaped', small, 'GET', variants('/v1/shelves/a%20b/books/item'), milliseconds),
    measure('12 routes, verb', small, 'POST', ['/v1/shelves/7:merge', '/v1/shelves/8:merge'], milliseconds),
    measure('12 routes, miss', small, 'GET', variants('/v2/nothing/here'), milliseconds),
    measure('5,000 routes', large, 'GET', variants('/v1/projects/demo/kind777/item'), milliseconds),
    measure('5,000 routes, verb', large, 'POST', ['/v1/projects/demo/kind12/x:undelete'], milliseconds),
  ];
}

function matcherOf(rules: readonly string[]): PathMatcher<string> {
  const builder = new PathMatcherBuilder<string>();
  rules.forEach((rule, declaration) => {
    const [httpMethod, template] = rule.split(' ') as [string, string];
    const origin = { rpc: rule, place: { file: 'bench.proto' }, fileOrder: 0, declaration };
    builder.add({ httpMethod, template: parseTemplate(template), origin }, rule);
  });
  const problems = new ProblemList();
  const matcher = builder.build(problems);
  problems.throwIfAny();
  return matcher;
}

/** Paths that differ, so that no engine caches the outcome for one string. */
function variants(path: string): string[] {
  return Array.from({ length: 64 }, (_, index) => `${path}${index}`);
}

function measure(
  name: string,
  matcher: PathMatcher<string>,
  method: string,
  paths: readonly string[],
  milliseconds: number,
): RouterBenchmark {
  // A target comes off the socket as a flat string: so it is here.
  const flat = paths.map((path) => Buffer.from(path, 'latin1').toString('latin1'));
  runFor(matcher, method, flat, milliseconds);
  return { name, nsPerMatch: Math.round(runFor(matcher, method, flat, milliseconds)) };
}

function runFor(matcher: PathMatcher<string>, method: string, paths: readonly string[], milliseconds: number): number {
  const start = process.hrtime.bigint();
  const limit = BigInt(milliseconds) * 1_000_000n;
  let matches = 0;
  let elapsed = 0n;
  do {
    for (let round = 0; round < 200; round++) {
      for (const path of paths) matcher.match(method, path);
    }
    matches += 200 * paths.length;
    elapsed = process.hrtime.bigint() - start;
  } while (elapsed < limit);
  return Number(elapsed) / matches;
}
