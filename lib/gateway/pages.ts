/**
 * What the proxy serves by itself, beside the routes: health, the OpenAPI document, an interactive reference and a list of
 * routes. Each page gives way to a rule of the same path, and each is made when it is first asked for.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { header } from '../headers.js';
import type { Reply, RequestHead } from '../exchange.js';
import { type DocumentedPart, openApiDocument, printDocument, titleOf } from '../openapi/index.js';
import type { Binding } from '../rule/index.js';
import { wrapJson } from '../transcode/index.js';
import type { Page } from './gateway.js';
import { checkHealth, type ServiceChannel } from './health.js';
import { indexHtml, indexText, type IndexLinks } from './index-page.js';
import type { GatewayOptions } from './options.js';

/** What pages tell of. */
export interface PageSources {
  /** Of the mount; '' for the root. */
  readonly prefix: string;
  readonly services: readonly ServiceChannel[];
  /** The gateway's own routes first, then those of the mounts below it. */
  readonly parts: readonly DocumentedPart<Binding>[];
}

/** The pages that the options leave on, by path. */
export function buildPages(
  { prefix, services, parts }: PageSources,
  options: GatewayOptions,
): ReadonlyMap<string, Page> {
  const pages = new Map<string, Page>();
  const add = (path: string, page: (head: RequestHead) => Reply): void => {
    pages.set(path, (head) => Promise.resolve(page(head)));
  };
  if (options.health) {
    pages.set('/health', (head) =>
      checkHealth(services, options.healthTimeoutMs, head, (json) => wrapJson(options.envelope, json, head.requestId)),
    );
  }
  if (options.openapi) {
    const document = once(() => documentOf(prefix, parts, options));
    const json = once(() => Buffer.from(printDocument(document(), 'json')));
    const yaml = once(() => Buffer.from(printDocument(document(), 'yaml')));
    add('/openapi.json', (head) => fileReply(head, 'application/json', json()));
    add('/openapi.yaml', (head) => fileReply(head, 'application/yaml', yaml()));
  }
  if (options.openapi && options.docs) addDocs(add, parts);
  if (options.index) {
    const links: IndexLinks = {
      docs: options.openapi && options.docs,
      openapi: options.openapi,
      health: options.health,
      prefix,
    };
    const title = titleOf(parts.flatMap(({ bindings }) => bindings));
    add('/', (head) =>
      wantsHtml(head)
        ? fileReply(head, 'text/html; charset=utf-8', Buffer.from(indexHtml(title, parts, links)), pagePolicy)
        : fileReply(head, 'text/plain; charset=utf-8', Buffer.from(indexText(parts, links))),
    );
  }
  return pages;
}

function documentOf(
  prefix: string,
  parts: readonly DocumentedPart<Binding>[],
  options: GatewayOptions,
): ReturnType<typeof openApiDocument> {
  const title = options.openapiTitle ?? titleOf(parts.flatMap(({ bindings }) => bindings));
  return openApiDocument(parts, { title, version: options.openapiVersion, server: prefix === '' ? '/' : prefix });
}

/** Everything comes from this origin, and nothing may frame it. */
const pagePolicy = [
  'content-security-policy',
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
];

/** swagger-ui and what starts it; relative addresses, as a mount has a prefix. */
function addDocs(add: (path: string, page: (head: RequestHead) => Reply) => void, parts: PageSources['parts']): void {
  const title = titleOf(parts.flatMap(({ bindings }) => bindings));
  const html = Buffer.from(docsHtml(title));
  add('/docs', (head) => fileReply(head, 'text/html; charset=utf-8', html, pagePolicy));
  const script = Buffer.from(docsScript);
  add('/docs/start.js', (head) => fileReply(head, 'text/javascript; charset=utf-8', script));
  for (const [name, type] of assets) {
    const bytes = once(() => readFileSync(new URL(name, assetFolder)));
    add(`/docs/${name}`, (head) => fileReply(head, type, bytes()));
  }
}

/** Copied there by the build: swagger-ui is no dependency of whoever installs the package. */
const assetFolder = new URL('../../dist/docs/', import.meta.url);
const assets = [
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
] as const;

function docsHtml(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;
}

const docsScript = `'use strict';
SwaggerUIBundle({
  url: new URL('openapi.json', document.baseURI).href,
  dom_id: '#docs',
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
});
`;

/** A browser asks for HTML by name; \`curl\` asks for anything. */
function wantsHtml({ headers }: RequestHead): boolean {
  return /\btext\/html\b/.test(header(headers, 'accept') ?? '');
}

/** A page that stays as it is while the process runs. */
function fileReply(head: RequestHead, contentType: string, body: Buffer, more: readonly string[] = []): Reply {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const headers = ['content-type', contentType, 'etag', etag, 'cache-control', 'no-cache', 'vary', 'accept'];
  headers.push('x-content-type-options', 'nosniff', 'x-request-id', head.requestId, ...more);
  if ((header(head.headers, 'if-none-match') ?? '').split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)) {
    return { status: 304, headers, body: undefined };
  }
  headers.push('content-length', String(body.length));
  return { status: 200, headers, body: head.method === 'HEAD' ? undefined : body };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
