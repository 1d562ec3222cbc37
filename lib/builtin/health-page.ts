/** `GET /health` as a page, for a browser. */
import type { Reply, RequestHead } from '../exchange.js';
import { breakable, escapeHtml, PageFrame } from '../html.js';
import type { Health } from './health.js';

const frame = new PageFrame(`
main { max-width: 46rem; margin: 2rem auto; }
table { width: 100%; margin: 1rem 0; border-collapse: collapse; }
th, td { padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); text-align: left; overflow-wrap: anywhere; }
th { font-weight: 400; }
td { width: 11rem; font-weight: 600; color: var(--bad); }
td.serving { color: var(--good); }
@media (max-width: 30rem) { td { width: 8.5rem; font-size: 0.8rem; } }
`);

const notKept = ['cache-control', 'no-store', 'vary', 'accept'];

/** The same status as for a program, and the services that do not serve first. */
export function healthPage(
  { serving, services }: Health,
  { method, requestId }: RequestHead,
  indexPath: string,
  hasIndex: boolean,
): Reply {
  const sorted = [...services].sort(([, a], [, b]) => Number(a === 'SERVING') - Number(b === 'SERVING'));
  const rows = sorted.map(
    ([name, status]) =>
      `<tr><th scope="row">${breakable(name)}</th><td${status === 'SERVING' ? ' class="serving"' : ''}>${status}</td></tr>`,
  );
  const down = services.filter(([, status]) => status !== 'SERVING').length;
  const title = serving ? 'Serving' : 'Not serving';
  const [one, all] =
    services.length === 1 ? ['The service', 'service does'] : [`All ${services.length} services`, 'services do'];
  const counts =
    down > 0
      ? `${down} of ${services.length} ${all} not serve.`
      : serving
        ? `${one} ${services.length === 1 ? 'answers' : 'answer'}.`
        : 'This proxy is to get no more requests.';
  const html = frame.write(
    title,
    `<main>
<h1>${title}</h1>
<p>${services.length === 0 ? 'There are no services.' : counts}</p>
<table>
<tbody>
${rows.join('\n')}
</tbody>
</table>
${hasIndex ? `<nav class="pages" aria-label="Pages"><a href="${escapeHtml(indexPath)}">What is served</a></nav>\n` : ''}</main>`,
  );
  const body = Buffer.from(html);
  const length = String(body.length);
  return {
    status: serving ? 200 : 503,
    headers: [...frame.headers, 'content-length', length, ...notKept, 'x-request-id', requestId],
    body: method === 'HEAD' ? undefined : body,
  };
}
