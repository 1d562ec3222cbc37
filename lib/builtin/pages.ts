/**
 * The proxy's own pages: health, the OpenAPI and AsyncAPI documents, an interactive reference and a list of routes. A rule of
 * the same path replaces a page. Pages are made on the first request.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { header } from '../headers.js';
import { docsAssetsFolder } from '../installation.js';
import type { OwnHealth, Reply, RequestHead } from '../exchange.js';
import {
  asyncApiDocument,
  type DocumentedPart,
  hasStreams,
  openApiDocument,
  printDocument,
  titleOf,
} from '../openapi/index.js';
import type { Binding } from '../rule/index.js';
import { prefersHtml, type TranscodeOptions, wrapJson } from '../transcode/index.js';
import { docsHeaders, docsHtml, docsScript } from './docs-page.js';
import { HealthChecks, healthReply, isTextWanted, probeReply, type ServiceChannel, withOwn } from './health.js';
import { healthPage } from './health-page.js';
import { indexHeaders, indexHtml, indexText, type IndexLinks } from './index-page.js';
import type { BuiltinOptions } from './options.js';

/**
 * Answers a request for one page.
 * @param base the prefix that an embedding application has removed from the path, such as `/api`. Default: ''
 */
export type Page = (head: RequestHead, base?: string) => Promise<Reply>;

/** What pages are made from. */
export interface PageSources {
  /** The prefix of the mount; '' for the root. */
  readonly prefix: string;
  readonly services: readonly ServiceChannel[];
  /** The gateway's own routes first, then those of the mounts below it. */
  readonly parts: readonly DocumentedPart<Binding>[];
  /** What `/health` is told of the proxy itself. Default: that all is well. */
  readonly health?: OwnHealth | undefined;
  /** Whether requests are served now, for `/readyz`. Default: there is neither that page nor `/livez`. */
  readonly isReady?: (() => boolean) | undefined;
}

/** The pages that load balancers and probes ask, which have no token. */
export const healthPaths: ReadonlySet<string> = new Set(['/health', '/livez', '/readyz']);

/** The pages that the options leave on, by path. */
export function buildPages(
  { prefix, services, parts, health, isReady }: PageSources,
  options: BuiltinOptions & Pick<TranscodeOptions, 'envelope'>,
): ReadonlyMap<string, Page> {
  const pages = new Map<string, Page>();
  const add = (path: string, page: (head: RequestHead, base: string) => Reply): void => {
    pages.set(path, (head, base = '') => Promise.resolve(page(head, base)));
  };
  if (options.health) {
    const checks = new HealthChecks(services, options);
    pages.set('/health', async (head, base = '') => {
      const found = withOwn(await checks.ask(), health);
      if (isTextWanted(head.query)) return probeReply(found.serving, found.serving ? 'SERVING' : 'NOT_SERVING', head);
      if (prefersHtml(head.headers)) return healthPage(found, head, `${base}${prefix}/`, options.index);
      return healthReply(found, head, (json) => wrapJson(options.envelope, json, head.requestId));
    });
    if (isReady !== undefined) {
      add('/livez', (head) => probeReply(true, 'ok\n', head));
      add('/readyz', (head) => {
        const ready = isReady();
        return probeReply(ready, ready ? 'ok\n' : 'not ready: it drains, or waits for a schema\n', head);
      });
    }
  }
  const title = options.openapiTitle ?? titleOf(parts);
  if (options.openapi) {
    const documentBelow = memoizeLast((base) =>
      openApiDocument(parts, {
        title,
        version: options.openapiVersion,
        server: `${base}${prefix}` || '/',
        names: options.openapiNames,
        spec: options.openapiSpec,
        self: `${base}${prefix}/openapi.json`,
      }),
    );
    const print = (format: 'json' | 'yaml'): ((base: string) => FilePage) => {
      const text = textBelow((base) => printDocument(documentBelow(base), format));
      return memoizeLast((base) => new FilePage(text(base), typed(`application/${format}`)));
    };
    const json = print('json');
    const yaml = print('yaml');
    add('/openapi.json', (head, base) => json(base).reply(head));
    add('/openapi.yaml', (head, base) => yaml(base).reply(head));
  }
  const asyncapi = options.asyncapi && hasStreams(parts);
  if (asyncapi) {
    const { openapiVersion: version, openapiNames: names } = options;
    const print = (format: 'json' | 'yaml'): ((head: RequestHead, base: string) => Reply) => {
      const templateOf = (scheme: string): ((base: string) => string) =>
        textBelow((base) => {
          const server = `${scheme}://${HOST_PLACEHOLDER}${base}${prefix}`;
          return printDocument(asyncApiDocument(parts, { title, version, names, server }), format);
        });
      const templates = { http: templateOf('http'), https: templateOf('https') };
      const page = memoizeLast((place) => {
        const { base, host, scheme } = JSON.parse(place) as { base: string; host: string; scheme: 'http' | 'https' };
        const text = templates[scheme](base).replaceAll(HOST_PLACEHOLDER, host);
        return new FilePage(text, typed(`application/${format}`));
      });
      return (head, base) => page(JSON.stringify({ base, host: hostOf(head), scheme: schemeOf(head) })).reply(head);
    };
    add('/asyncapi.json', print('json'));
    add('/asyncapi.yaml', print('yaml'));
  }
  if (options.openapi && options.docs) addDocs(add, title);
  if (options.index) {
    const linksBelow = (base: string): IndexLinks => ({
      docs: options.openapi && options.docs,
      openapi: options.openapi,
      asyncapi,
      health: options.health,
      prefix: base + prefix,
    });
    const template = textBelow((base) => indexHtml(title, parts, linksBelow(base), `http://${HOST_PLACEHOLDER}`));
    const html = memoizeLast((place) => {
      const { base, host } = JSON.parse(place) as { base: string; host: string };
      return new FilePage(template(base).replaceAll(HOST_PLACEHOLDER, host), indexHeaders);
    });
    const text = memoizeLast(
      (base) => new FilePage(indexText(parts, linksBelow(base)), typed('text/plain; charset=utf-8')),
    );
    add('/', (head, base) => {
      const page = prefersHtml(head.headers) ? html(JSON.stringify({ base, host: hostOf(head) })) : text(base);
      return page.reply(head);
    });
  }
  return pages;
}

function typed(contentType: string): readonly string[] {
  return ['content-type', contentType, 'x-content-type-options', 'nosniff'];
}

const HOST_PLACEHOLDER = 'photongate-host.invalid';
const hostForm = /^(?:[\w.-]{1,255}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** The host that the client asked, for lines to paste. */
function hostOf({ headers }: RequestHead): string {
  const host = header(headers, 'host') ?? '';
  return hostForm.test(host) ? host : '127.0.0.1:8080';
}

/** How the client asked, as far as the proxy knows. */
function schemeOf({ caller }: RequestHead): 'http' | 'https' {
  return header(caller.forwarded, 'x-forwarded-proto') === 'https' ? 'https' : 'http';
}

/** Scalar and its start script. */
function addDocs(add: (path: string, page: (head: RequestHead) => Reply) => void, title: string): void {
  const page = new FilePage(docsHtml(title), docsHeaders);
  add('/docs', (head) => page.reply(head));
  const script = new FilePage(docsScript, typed(SCRIPT_TYPE));
  add('/docs/start.js', (head) => script.reply(head));
  const scalar = once(() => new FilePage(readFileSync(new URL('scalar.js', docsAssetsFolder)), typed(SCRIPT_TYPE)));
  add('/docs/scalar.js', (head) => scalar().reply(head));
}

const SCRIPT_TYPE = 'text/javascript; charset=utf-8';

/** A page that does not change, with its headers prepared. */
class FilePage {
  private readonly body: Buffer;
  private readonly etag: string;
  private readonly headers: readonly string[];

  /** @param headers `content-type` and what else the content needs */
  constructor(content: string | Buffer, headers: readonly string[]) {
    this.body = Buffer.from(content as string);
    this.etag = `"${createHash('sha256').update(this.body).digest('base64url').slice(0, 22)}"`;
    this.headers = [...headers, 'etag', this.etag, 'cache-control', 'no-cache', 'vary', 'accept'];
  }

  reply({ method, headers: sent, requestId }: RequestHead): Reply {
    const { body, etag } = this;
    const headers = [...this.headers, 'x-request-id', requestId];
    const known = (header(sent, 'if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    if (known.includes(etag)) return { status: 304, headers, body: undefined };
    headers.push('content-length', String(body.length));
    return { status: 200, headers, body: method === 'HEAD' ? undefined : body };
  }
}

/** Caches the value of the last base; usually there is only one. */
function memoizeLast<T>(make: (base: string) => T): (base: string) => T {
  let made: { readonly base: string; readonly value: T } | undefined;
  return (base) => {
    if (made?.base !== base) made = { base, value: make(base) };
    return made.value;
  };
}

/** A placeholder for the base in a text; it needs no quotes in YAML or in a shell. */
const PLACEHOLDER = '/--photongate-base--';

/**
 * A text that is made once and then filled in for each base. Clients can choose the spelling of a base (Express also matches
 * `/API`), and making a document for each would be too much work.
 */
function textBelow(make: (base: string) => string): (base: string) => string {
  const root = once(() => make(''));
  const pieces = once(() => make(PLACEHOLDER).split(PLACEHOLDER));
  return (base) => (base === '' ? root() : pieces().join(base));
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
