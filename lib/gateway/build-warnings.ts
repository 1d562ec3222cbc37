/** What is odd about the routes of a gateway. */
import { healthPaths, type Page } from '../builtin/index.js';
import { type SchemaNotes, takesSlashes } from '../openapi/index.js';
import type { PathMatcher } from '../router/index.js';
import type { Binding } from '../rule/index.js';
import type { ProblemList } from '../status.js';
import type { Route } from './decide.js';
import type { GatewayOptions } from './options.js';

/** Our own pages give way to the routes of their path. */
export function warnOfHiddenPages(
  pages: ReadonlyMap<string, Page>,
  matcher: PathMatcher<Route>,
  problems: ProblemList,
): void {
  for (const path of pages.keys()) {
    const match = matcher.match('GET', path);
    if (match === undefined) continue;
    const { rpc } = match.value.plan;
    problems.warn({
      code: 'hidden-page',
      message: `GET ${path} is answered by ${rpc.name}, and not by the proxy itself`,
      rpc: rpc.name,
      hint: `switch the page off with --no-${optionOfPage(path)}, or change the rule`,
    });
  }
}

/** Clients that are generated from the document send `%2F`, which the service then gets as it is. */
export function warnOfEscapedSlashes(
  bindings: readonly Binding[],
  { urlUnescape }: GatewayOptions,
  problems: ProblemList,
): void {
  if (urlUnescape === 'all_characters') return;
  for (const binding of bindings.filter(takesSlashes)) {
    problems.warn({
      code: 'escaped-slashes',
      message:
        'a variable may hold slashes, and clients made from the OpenAPI document send them as %2F, which the service gets as it is',
      place: binding.place,
      rpc: binding.method.fullName,
      template: binding.template.source,
      hint: 'set url_unescape: all_characters, so that %2F is a slash; or switch the document off with --no-openapi',
    });
  }
}

/** Options for documents that ours does not follow. */
export function warnOfIgnoredNotes(
  bindings: readonly Binding[],
  notes: SchemaNotes | undefined,
  problems: ProblemList,
): void {
  if (notes === undefined) return;
  const files = new Set(bindings.map(({ method }) => method.service.file));
  const ignored = [...new Set([...files].flatMap((file) => notes.ignored(file)))];
  if (ignored.length === 0) return;
  problems.warn({
    code: 'document-options',
    message: `the OpenAPI document does not follow ${ignored.join(', ')}`,
    hint: 'docs/openapi.md lists what it follows; what the proxy takes and answers, it says by itself',
  });
}

/** The option that a page hangs on. */
function optionOfPage(path: string): string {
  if (path === '/') return 'index';
  if (healthPaths.has(path)) return 'health';
  if (path.startsWith('/.')) return 'mcp';
  return /^\/(\w+)/.exec(path)![1]!;
}
