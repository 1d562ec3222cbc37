/**
 * Errors as small pages, for people who open a URL in a browser. Programs get the configured shape: a page is only sent if
 * `Accept` names text/html and prefers it.
 */
import { STATUS_CODES } from 'node:http';
import { indentJson } from '../../codec/index.js';
import type { ErrorWriter, Reply, RequestHead } from '../../exchange.js';
import { header, withoutFields } from '../../headers.js';
import { escapeHtml, PageFrame } from '../../html.js';
import { codeText, type StatusError } from '../../status.js';
import { prefersHtml } from './accept.js';

/** Longer bodies are not repeated on the page. */
const MAX_SHOWN_BYTES = 64 * 1024;

const frame = new PageFrame(`
main { max-width: 46rem; margin: 2rem auto; }
.status { margin: 0; color: var(--quiet); }
.message { font-size: 1.05rem; overflow-wrap: anywhere; }
dl { margin: 1rem 0; }
dt { font-weight: 600; overflow-wrap: anywhere; }
dd { margin: 0 0 0.6rem; overflow-wrap: anywhere; }
details { margin-top: 1.5rem; }
summary, .id { color: var(--quiet); font-size: 0.875rem; overflow-wrap: anywhere; }
`);

/** Writes a page if the client prefers one, else what `usual` writes. */
export function errorPageWriter(usual: ErrorWriter): ErrorWriter {
  return (error, head) => {
    const { headers: sent = [] } = head as Partial<RequestHead>;
    if (!prefersHtml(sent)) return usual(error, head);
    const reply = usual(error, { ...head, method: 'GET' });
    // A status without a body, as `convert_grpc_status: false` answers.
    if (header(reply.headers, 'content-type') === undefined) return usual(error, head);
    const body = Buffer.from(pageOf(error, reply, head.requestId));
    const kept = withoutFields(reply.headers, (name) => name === 'content-type' || name === 'content-length');
    const own = ['content-length', String(body.length), 'cache-control', 'no-store', 'vary', 'accept'];
    return { ...reply, headers: [...frame.headers, ...own, ...kept], body: head.method === 'HEAD' ? undefined : body };
  };
}

function pageOf(error: StatusError, { status, body }: Reply, requestId: string): string {
  const title = `${status} ${STATUS_CODES[status] ?? 'Error'}`;
  const violations = error.violations.map(
    ({ field, description }) => `<dt><code>${escapeHtml(field)}</code></dt>\n<dd>${escapeHtml(description)}</dd>\n`,
  );
  const json =
    body === undefined || body.length > MAX_SHOWN_BYTES
      ? ''
      : `<details>\n<summary>What a program gets</summary>\n<pre>${escapeHtml(readable(body))}</pre>\n</details>\n`;
  return frame.write(
    title,
    `<main>
<p class="status">${escapeHtml(codeText(error.code))}</p>
<h1>${escapeHtml(title)}</h1>
<p class="message">${messageHtml(error.message)}</p>
${violations.length === 0 ? '' : `<dl>\n${violations.join('')}</dl>\n`}${json}<p class="id">Request ${escapeHtml(requestId)}</p>
</main>`,
  );
}

/** The end of the message of a 404 names the list of routes; only a path on this server becomes a link. */
function messageHtml(message: string): string {
  const match = /"GET (\/(?:[^/"\s\\][^"\s\\]*)?)" lists what is served$/.exec(message);
  if (match === null) return escapeHtml(message);
  const path = escapeHtml(match[1]!);
  return `${escapeHtml(message.slice(0, match.index))}<a href="${path}">${path}</a> lists what is served`;
}

function readable(body: Buffer): string {
  const isJson = body[0] === 0x7b;
  return (isJson && !body.includes('\n') ? indentJson(body) : body).toString('utf8');
}
