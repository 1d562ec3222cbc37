/** `GET /`: the services and their routes, as text for a shell and as a page for a browser. */
import { breakable, escapeHtml, PageFrame } from '../html.js';
import { type DocumentedPart, partCurlLine } from '../openapi/index.js';
import type { Binding } from '../rule/index.js';

/** The pages to link to. */
export interface IndexLinks {
  readonly docs: boolean;
  readonly openapi: boolean;
  readonly asyncapi: boolean;
  readonly health: boolean;
  /** The path of the gateway: paths are shown as to be typed, and links are absolute, because `/` and '' are the same page. */
  readonly prefix: string;
}

interface Line {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
}

interface Block {
  readonly service: string;
  readonly lines: readonly Line[];
}

function blocksOf(parts: readonly DocumentedPart<Binding>[], links: IndexLinks): Block[] {
  return parts.flatMap(({ prefix, bindings }) =>
    [...new Set(bindings.map(({ method }) => method.service))].map((service) => ({
      service: service.fullName,
      lines: bindings
        .filter(({ method }) => method.service === service)
        .map(({ httpMethod, template, method }) => ({
          method: httpMethod,
          path: links.prefix + prefix + template.source,
          summary: firstSentence(method.comment),
        })),
    })),
  );
}

function firstSentence(comment: string): string {
  return (/^[\s\S]*?[.!?](?=\s|$)/.exec(comment)?.[0] ?? comment).replace(/\s+/g, ' ');
}

/** A block for each service, a line for each route. */
export function indexText(parts: readonly DocumentedPart<Binding>[], links: IndexLinks): string {
  const blocks = blocksOf(parts, links);
  const lines = blocks.flatMap(({ lines }) => lines);
  const methodWidth = Math.max(0, ...lines.map(({ method }) => method.length));
  const pathWidth = Math.min(70, Math.max(0, ...lines.map(({ path }) => path.length)));
  const text = blocks.map(({ service, lines }) => {
    const rows = lines.map(({ method, path, summary }) =>
      `  ${method.padEnd(methodWidth)}  ${path.padEnd(pathWidth)}  ${summary}`.trimEnd(),
    );
    return `${service}\n${rows.join('\n')}\n`;
  });
  const pages = linkedPages(links).map(
    ([path, summary]) => `  ${'GET'.padEnd(methodWidth)}  ${(links.prefix + path).padEnd(pathWidth)}  ${summary}`,
  );
  return [...text, ...(pages.length === 0 ? [] : [`the proxy itself\n${pages.join('\n')}\n`])].join('\n');
}

function linkedPages({ docs, openapi, asyncapi, health }: IndexLinks): (readonly [path: string, summary: string])[] {
  return [
    ...(health ? [['/health', 'Whether the services serve.'] as const] : []),
    ...(openapi ? [['/openapi.json', 'All of this as an OpenAPI document; /openapi.yaml too.'] as const] : []),
    ...(asyncapi ? [['/asyncapi.json', 'The streams as an AsyncAPI document; /asyncapi.yaml too.'] as const] : []),
    ...(docs ? [['/docs', 'The same to read and to try, in a browser.'] as const] : []),
  ];
}

/** One RPC on the page. */
interface Entry {
  readonly part: DocumentedPart<Binding>;
  readonly main: Binding;
  /** Its additional bindings. */
  readonly others: readonly Binding[];
}

interface Section {
  readonly id: string;
  readonly name: string;
  readonly summary: string;
  readonly entries: readonly Entry[];
}

function sectionsOf(parts: readonly DocumentedPart<Binding>[]): Section[] {
  const taken = new Set<string>();
  return parts.flatMap((part) => {
    const services = [...new Set(part.bindings.map(({ method }) => method.service))];
    return services.map(({ fullName: name, comment }) => {
      let id = name;
      for (let count = 2; taken.has(id); count++) id = `${name}-${count}`;
      taken.add(id);
      const byRpc = new Map<string, Binding[]>();
      for (const binding of part.bindings.filter(({ method }) => method.service.fullName === name)) {
        const { fullName } = binding.method;
        byRpc.set(fullName, [...(byRpc.get(fullName) ?? []), binding]);
      }
      const entries = [...byRpc.values()].map(([main, ...others]) => ({ part, main: main!, others }));
      return { id, name, summary: firstSentence(comment), entries };
    });
  });
}

/**
 * The same as a page. It works without its script, which only filters and copies.
 * @param origin of the curl lines, such as `http://127.0.0.1:8080`
 */
export function indexHtml(
  title: string,
  parts: readonly DocumentedPart<Binding>[],
  links: IndexLinks,
  origin: string,
): string {
  const sections = sectionsOf(parts);
  const total = sections.reduce((sum, { entries }) => sum + entries.length, 0);
  const pages = linkedPages(links).map(
    ([path, summary]) =>
      `<a href="${escapeHtml(links.prefix + path)}" title="${escapeHtml(summary)}">${escapeHtml(links.prefix + path)}</a>`,
  );
  const anchors = sections.map(
    ({ id, name, entries }) =>
      `<li><a href="#${escapeHtml(id)}">${breakable(name)}</a> <span class="quiet">${entries.length}</span></li>`,
  );
  const tags = new Set(
    parts.flatMap(({ access, bindings }) => bindings.flatMap(({ method }) => credentialTag(access, method.fullName))),
  );
  const needs = [...tags].map(
    (tag) =>
      `<p>Calls marked <span class="tag">${tag}</span> need one: put it into the shell with <code>${tag === 'token' ? 'TOKEN' : 'API_KEY'}=…</code> first.</p>\n`,
  );
  const body = `<header>
<h1>${escapeHtml(title)}</h1>
<nav class="pages" aria-label="Pages">${pages.join(' ')}</nav>
</header>
<main data-origin="${escapeHtml(origin)}">
${needs.join('')}<div class="find" hidden><input id="find" type="search" placeholder="Find a route, an RPC, a word" aria-label="Find a route, an RPC, a word" autocomplete="off" spellcheck="false"> <output id="found" for="find">${counted(total, 'RPC')}</output></div>
${anchors.length > 1 ? `<nav aria-label="Services"><ul class="services">\n${anchors.join('\n')}\n</ul></nav>\n` : ''}${sections.map((section) => sectionHtml(section, links.prefix, origin)).join('\n')}
</main>`;
  return indexFrame.write(title, body);
}

function sectionHtml({ id, name, summary, entries }: Section, prefix: string, origin: string): string {
  const about = summary === '' ? '' : `<p class="quiet">${escapeHtml(summary)}</p>\n`;
  const rows = entries.map((entry) => entryHtml(entry, prefix, origin));
  return `<section id="${escapeHtml(id)}">
<h2><a href="#${escapeHtml(id)}">${breakable(name)}</a></h2>
${about}<ul class="rpcs">
${rows.join('\n')}
</ul>
</section>`;
}

function entryHtml({ part, main, others }: Entry, prefix: string, origin: string): string {
  const { method } = main;
  const tags = [
    ...(method.clientStreaming || method.serverStreaming ? ['stream'] : []),
    ...credentialTag(part.access, method.fullName),
    ...(method.deprecated ? ['deprecated'] : []),
  ].map((tag) => ` <span class="tag">${tag}</span>`);
  const what = firstSentence(method.comment);
  const words = [
    method.fullName,
    what,
    ...[main, ...others].map(({ httpMethod, template }) => `${httpMethod} ${part.prefix}${template.source}`),
  ];
  const bindings = others.map((other) => bindingHtml(other, part, prefix, origin, ''));
  const more =
    bindings.length === 0
      ? ''
      : `<details><summary>${counted(others.length, 'more binding')}</summary>\n${bindings.join('\n')}\n</details>\n`;
  return `<li data-words="${escapeHtml(words.join(' ').toLowerCase())}">
${bindingHtml(main, part, prefix, origin, `<span class="what" title="${escapeHtml(method.fullName)}">${escapeHtml(what === '' ? method.name : what)}${tags.join('')}</span>`)}
${more}</li>`;
}

/** What the curl line of an RPC shows. */
function credentialTag(access: DocumentedPart<Binding>['access'], rpc: string): string[] {
  const [first] = access?.credentialsFor(rpc) ?? [];
  return first === undefined ? [] : [first.kind === 'token' ? 'token' : 'key'];
}

/** @param what HTML beside the path */
function bindingHtml(
  binding: Binding,
  part: DocumentedPart<Binding>,
  prefix: string,
  origin: string,
  what: string,
): string {
  const { httpMethod, template } = binding;
  const path = `${prefix}${part.prefix}${template.source}`;
  const isPlain = httpMethod === 'GET' && template.variables.length === 0 && !/[*]/.test(template.source);
  const code = `<code>${breakable(path)}</code>`;
  const shown = isPlain ? `<a href="${escapeHtml(path)}">${code}</a>` : code;
  const line = partCurlLine(part, binding, `${origin}${prefix}`);
  return `<p class="route"><b class="${/^(?:GET|POST|PUT|PATCH|DELETE)$/.test(httpMethod) ? httpMethod.toLowerCase() : 'other'}">${escapeHtml(httpMethod)}</b> <span class="path">${shown}</span>${what}</p>
<div class="curl"><code>${escapeHtml(line)}</code></div>`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

const indexFrame = new PageFrame(
  `
h2 { margin: 2.25rem 0 0.25rem; font-size: 1.15rem; line-height: 1.3; overflow-wrap: anywhere; }
h2 a { color: inherit; text-decoration: none; }
h2 a:hover { text-decoration: underline; }
.find + section h2 { margin-top: 0.75rem; }
.quiet { color: var(--quiet); }
.find { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1rem; padding: 0.75rem 0; background: var(--page); }
.find[hidden] { display: none; }
.find input { flex: 1 1 16rem; min-width: 0; max-width: 36rem; padding: 0.5rem 0.75rem; border: 1px solid var(--quiet); border-radius: 6px; background: var(--page); color: inherit; font: inherit; }
output { color: var(--quiet); }
section { scroll-margin-top: 4rem; }
.services { columns: 20rem; margin: 0.5rem 0; padding: 0; list-style: none; }
.rpcs { margin: 0.5rem 0 0; padding: 0; list-style: none; border-top: 1px solid var(--line); }
.rpcs > li { padding: 0.6rem 0; border-bottom: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 5rem; }
.route { display: grid; grid-template-columns: 4.5rem minmax(0, 5fr) minmax(0, 4fr); gap: 0 0.75rem; align-items: baseline; margin: 0; }
.route b { font: 700 0.8rem/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; color: var(--quiet); }
.route b.get { color: var(--link); }
.route b.post, .route b.put, .route b.patch { color: var(--good); }
.route b.delete { color: var(--bad); }
.path { font-weight: 600; overflow-wrap: anywhere; }
.what { color: var(--quiet); overflow-wrap: anywhere; }
.tag { display: inline-block; padding: 0 0.4rem; border: 1px solid var(--line); border-radius: 4px; color: var(--quiet); font-size: 0.75rem; }
.curl { display: flex; align-items: flex-start; gap: 0.5rem; margin: 0.3rem 0 0 5.25rem; }
.curl code { flex: 0 1 auto; min-width: 0; padding: 0.25rem 0.6rem; background: var(--soft); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; -webkit-user-select: all; user-select: all; }
.curl button { flex: none; padding: 0.25rem 0.6rem; border: 1px solid var(--line); border-radius: 6px; background: var(--page); color: var(--quiet); font: 0.8rem/1.5 system-ui, sans-serif; cursor: pointer; }
.curl button:hover { color: var(--text); border-color: var(--quiet); }
details { margin: 0.4rem 0 0 5.25rem; }
details .curl { margin-left: 0; }
details .route { display: flex; gap: 0.75rem; margin-top: 0.4rem; }
summary { color: var(--quiet); font-size: 0.875rem; }
[hidden] { display: none !important; }
@media (max-width: 44rem) {
.route { grid-template-columns: 3.75rem minmax(0, 1fr); }
.route .what { grid-column: 2; }
.curl, details { margin-left: 0; }
.curl code { flex: 1 1 auto; }
}
`,
  `
'use strict';
const main = document.querySelector('main');
const find = document.querySelector('#find');
const found = document.querySelector('#found');
const rows = [...document.querySelectorAll('.rpcs > li')];
const sections = [...document.querySelectorAll('section')];
const services = document.querySelector('.services');
find.parentElement.hidden = false;
function filter() {
  const words = find.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    row.hidden = !words.every((word) => row.dataset.words.includes(word));
    if (!row.hidden) count++;
  }
  for (const section of sections) section.hidden = !section.querySelector('.rpcs > li:not([hidden])');
  if (services) services.hidden = words.length > 0;
  const all = rows.length + (rows.length === 1 ? ' RPC' : ' RPCs');
  found.textContent = words.length === 0 ? all : count + ' of ' + all;
}
find.addEventListener('input', filter);
filter();
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target === find || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  find.focus();
});
for (const code of document.querySelectorAll('.curl code')) {
  code.textContent = code.textContent.replace(main.dataset.origin, location.origin);
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  code.after(button);
}
async function copy(code) {
  if (navigator.clipboard) return navigator.clipboard.writeText(code.textContent);
  const range = document.createRange();
  range.selectNodeContents(code);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  if (!document.execCommand('copy')) throw new Error('not copied');
}
main.addEventListener('click', async (event) => {
  const button = event.target.closest('.curl button');
  if (!button) return;
  const told = await copy(button.previousElementSibling).then(() => 'Copied', () => 'Select it');
  button.textContent = told;
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
});
`,
);

/** The headers of the page. */
export const indexHeaders: readonly string[] = indexFrame.headers;
