/** `GET /`: the services and their routes, as text for a shell and as a page for a browser. */
import type { DocumentedPart } from '../openapi/index.js';
import type { Binding } from '../rule/index.js';

/** Which other pages there are. */
export interface IndexLinks {
  readonly docs: boolean;
  readonly openapi: boolean;
  readonly health: boolean;
  /** Of the mount: paths are shown as they are to be typed, and links are absolute, as `/` and '' are one page. */
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

function linkedPages({ docs, openapi, health }: IndexLinks): (readonly [path: string, summary: string])[] {
  return [
    ...(health ? [['/health', 'Whether the services serve.'] as const] : []),
    ...(openapi ? [['/openapi.json', 'All of this as an OpenAPI document; /openapi.yaml too.'] as const] : []),
    ...(docs ? [['/docs', 'The same to read and to try, in a browser.'] as const] : []),
  ];
}

export function indexHtml(title: string, parts: readonly DocumentedPart<Binding>[], links: IndexLinks): string {
  const tables = blocksOf(parts, links).map(({ service, lines }) => {
    const rows = lines.map(
      ({ method, path, summary }) =>
        `<tr><td><b>${escape(method)}</b></td><td><code>${escape(path)}</code></td><td>${escape(summary)}</td></tr>`,
    );
    return `<h2>${escape(service)}</h2>\n<table>\n${rows.join('\n')}\n</table>`;
  });
  const pages = linkedPages(links).map(
    ([path, summary]) =>
      `<li><a href="${escape(links.prefix + path)}">${escape(links.prefix + path)}</a>: ${escape(summary)}</li>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<link rel="icon" href="data:,">
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
td { padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } a { color: #8bf; } }
</style>
</head>
<body>
<h1>${escape(title)}</h1>
<ul>
${pages.join('\n')}
</ul>
${tables.join('\n')}
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
