/**
 * `GET /docs`: Scalar's API reference on the OpenAPI document. All of it comes from the proxy, and the page can reach nothing
 * else. URLs are relative, because a mount has a prefix.
 */
import { HTML_TYPE, htmlPage, isolation } from '../html.js';

/**
 * Scripts come from the proxy only, requests go to it only, and the page cannot be framed. Scalar writes its styles into the
 * page.
 */
export const docsHeaders: readonly string[] = [
  ...['content-type', HTML_TYPE],
  'content-security-policy',
  "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ...isolation,
];

/** The page; it is the same for every client. */
export function docsHtml(title: string): string {
  const body = `<div id="docs"><p class="wait">Loading …</p></div>
<noscript><p class="wait">This page needs JavaScript; <a href="./">the list of routes</a> does not.</p></noscript>
<script src="docs/start.js"></script>
<script src="docs/scalar.js"></script>
`;
  return htmlPage(title, `<style>${waitStyle}</style>`, body);
}

const waitStyle = `
:root { color-scheme: light dark; }
body { margin: 0; }
.wait { margin: 2rem 1rem; font: 16px/1.5 system-ui, sans-serif; }
`;

/** Small corrections: Scalar cuts long lines off, and its quiet texts are too pale to read. */
const scalarStyle = `
.light-mode { --scalar-color-3: #62676d; --scalar-color-green: #14713d; --scalar-color-orange: #9a4a00; --scalar-color-blue: #0b57c4; --scalar-color-red: #b3261e; }
.dark-mode { --scalar-color-3: #9aa0a6; --scalar-color-red: #ff8f86; }
.code-snippet .scalar-code-block .line::before { display: none; }
.code-snippet .scalar-code-block pre, .code-snippet .scalar-code-block code, .code-snippet .scalar-code-block .line { width: auto !important; white-space: pre-wrap !important; overflow-wrap: anywhere !important; }
`;

/** More operations than this are shown service by service. */
const MAX_OPERATIONS = 400;

/**
 * Runs before and after Scalar is loaded. The curl lines of the document get the host that the page came from. Of a stream the
 * page shows the form of events only: that is what Scalar asks for then, and shows while it comes.
 */
export const docsScript = `'use strict';
{
  // Scalar tries whether it may make functions from text, which the policy of this page forbids and reports as an error.
  window.Function = new Proxy(Function, {
    construct() { throw new EvalError('not allowed here'); },
  });
  const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
  const events = 'text/event-stream';

  function operationsOf(document) {
    return Object.values(document.paths).flatMap((item) => methods.flatMap((method) => item[method] ?? []));
  }

  function prepare(document) {
    const base = document.servers?.[0]?.url ?? '/';
    document.servers = [{ url: new URL(base, location.origin).href.replace(/\\/$/, '') }];
    for (const operation of operationsOf(document)) {
      for (const sample of operation['x-codeSamples'] ?? [])
        sample.source = sample.source.replace('http://127.0.0.1:8080', location.origin);
      for (const answer of Object.values(operation.responses))
        if (answer.content?.[events]) answer.content = { [events]: answer.content[events] };
    }
  }

  // Scalar needs seconds for thousands of operations, so a large document becomes one for each service, which Scalar reads
  // when it is chosen.
  function split(document) {
    if (operationsOf(document).length <= ${MAX_OPERATIONS}) return [document];
    return document.tags.map((tag) => {
      const paths = {};
      for (const [path, item] of Object.entries(document.paths)) {
        const own = Object.entries(item).filter(([, operation]) => operation.tags?.includes(tag.name));
        if (own.length > 0) paths[path] = Object.fromEntries(own);
      }
      const schemas = {};
      const waiting = [paths];
      while (waiting.length > 0) {
        for (const [, name] of JSON.stringify(waiting.pop()).matchAll(/"#\\/components\\/schemas\\/([^"]+)"/g)) {
          if (schemas[name] !== undefined || document.components.schemas[name] === undefined) continue;
          schemas[name] = document.components.schemas[name];
          waiting.push(schemas[name]);
        }
      }
      const info = { ...document.info, title: tag.name };
      return { ...document, info, tags: [tag], paths, components: { ...document.components, schemas } };
    });
  }

  async function load() {
    const response = await fetch(new URL('openapi.json', location.href));
    if (!response.ok) throw new Error(response.status + ' ' + (await response.text()));
    return response.json();
  }

  function start(document) {
    prepare(document);
    const parts = split(document);
    window.document.querySelector('.wait').remove();
    Scalar.createApiReference('#docs', {
      sources: parts.map((content) => ({ title: content.info.title, content })),
      baseServerURL: location.origin,
      // Nothing from or to anywhere else.
      withDefaultFonts: false,
      telemetry: false,
      proxyUrl: '',
      agent: { disabled: true },
      mcp: { disabled: true },
      showDeveloperTools: 'never',
      hideClientButton: true,
      // The lines of the document are those that a person types.
      hiddenClients: true,
      authentication: { preferredSecurityScheme: document.components?.securitySchemes ? 'token' : null },
      defaultOpenAllTags: document.tags.length === 1,
      documentDownloadType: parts.length === 1 ? 'json' : 'none',
      customCss: ${JSON.stringify(scalarStyle)},
    });
  }

  const loaded = load();
  window.addEventListener('DOMContentLoaded', () => {
    loaded.then(start).catch((error) => {
      const place = window.document.querySelector('.wait') ?? window.document.querySelector('#docs');
      place.textContent = 'The document cannot be read: ' + error.message;
    });
  });
}
`;
