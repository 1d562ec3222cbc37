/** Pages for people: the frame of a page, escaping, and the headers that keep it from loading anything from elsewhere. */
import { createHash } from 'node:crypto';

/** Escapes text for HTML content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** HTML of a dotted name or a path, which may break behind its separators. */
export function breakable(text: string): string {
  return escapeHtml(text).replace(/[./]/g, '$&<wbr>');
}

/** The content type of the pages. */
export const HTML_TYPE = 'text/html; charset=utf-8';

/** Keeps pages of others from reading ours, and from learning by links where a visitor has been. */
export const isolation: readonly string[] = [
  ...['x-content-type-options', 'nosniff', 'referrer-policy', 'no-referrer'],
  ...['cross-origin-opener-policy', 'same-origin', 'cross-origin-resource-policy', 'same-origin'],
];

/** Colours and letters of all pages, in light and in dark. */
const baseStyle = `
:root { color-scheme: light dark; --page: #fff; --soft: #f4f5f7; --line: #d8dce2; --text: #1c2024; --quiet: #5a626c; --link: #0b57c4; --mark: #0b57c4; --good: #14713d; --bad: #b3261e; --warn: #8a5300; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --soft: #1e2226; --line: #363c43; --text: #e4e7ea; --quiet: #a2abb5; --link: #8ab8ff; --mark: #8ab8ff; --good: #6fd49a; --bad: #ff9d94; --warn: #f0b860; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 0.5rem; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
p { margin: 0.5rem 0; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
code, pre { font: 0.875em/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
pre { margin: 0.5rem 0; padding: 0.6rem 0.75rem; background: var(--soft); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; }
nav.pages { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; }
`;

/** A kind of page: what all pages of it share. Style and script are allowed by their hashes, and nothing else is. */
export class PageFrame {
  /** `content-type`, `content-security-policy` and what else such a page needs. */
  readonly headers: readonly string[];
  private readonly style: string;

  constructor(
    style = '',
    private readonly script = '',
  ) {
    this.style = `${baseStyle}${style}`;
    const scripts = script === '' ? '' : ` script-src ${hashOf(script)};`;
    this.headers = [
      ...['content-type', HTML_TYPE],
      'content-security-policy',
      `default-src 'none'; style-src ${hashOf(this.style)};${scripts} img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      ...isolation,
    ];
  }

  /** @param body HTML */
  write(title: string, body: string): string {
    const script = this.script === '' ? '' : `<script>${this.script}</script>\n`;
    return htmlPage(title, `<style>${this.style}</style>`, `${body}\n${script}`);
  }
}

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** A whole page for a browser of any width. @param head what it needs besides its title */
export function htmlPage(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
${head}
</head>
<body>
${body}</body>
</html>
`;
}
