/** The pages for people: the list of routes, health and errors, which programs never get. */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { startTestProxy, type TestProxy, type TestResponse } from '../support/proxy.js';
import { runMain } from '../support/cli.js';

const proto = `
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
// Sells <b>things</b>.
service Shop {
  // Orders a thing.
  rpc Order(Thing) returns (Thing) {
    option (google.api.http) = { post: "/v1/things/{name}:order" body: "*" additional_bindings { put: "/v1/orders/{name}" body: "*" } };
  }
  // Lists them. All.
  rpc List(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/things" }; }
  // A more specific rule answers \`/v1/any/a/b\`.
  rpc Any(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/any/{name=**}" }; }
  rpc Two(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/any/*/b" }; }
  rpc Watch(Thing) returns (stream Thing) { option (google.api.http) = { get: "/v1/watch" }; }
}
message Thing { string name = 1; int32 count = 2; }
`;

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';

async function withProxy(t: Test, options: Parameters<typeof startTestProxy>[1] = {}): Promise<TestProxy> {
  const proxy = await startTestProxy(proto, options);
  t.teardown(() => proxy.close());
  return proxy;
}

function unescaped(html: string): string {
  return html.replace(/<[^>]*>/g, '').replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

function hashesOf(text: string, tag: string): string[] {
  return [...text.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map(
    ([, content]) => `'sha256-${createHash('sha256').update(content!).digest('base64')}'`,
  );
}

/** The policy allows what is in the page, and nothing else. */
function checkPolicy(t: Test, { headers, text }: TestResponse): void {
  const policy = String(headers['content-security-policy']);
  t.match(policy, /^default-src 'none';/);
  t.notMatch(policy, /unsafe|self|http/);
  for (const [tag, directive] of [
    ['style', 'style-src'],
    ['script', 'script-src'],
  ] as const) {
    const allowed = new RegExp(`${directive} ([^;]*);`).exec(policy)?.[1]?.split(' ') ?? [];
    t.strictSame(allowed, hashesOf(text, tag), directive);
  }
  t.notMatch(text, / on\w+=|<script [^>]*src|style="|https?:\/\/(?!127)/, 'nothing inline or from elsewhere');
}

void t.test('the list of routes shows each RPC once, with the lines of `photongate routes --curl`', async (t) => {
  const proxy = await withProxy(t);
  const answer = await proxy.send('GET /', { headers: { accept: browser } });
  t.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
  checkPolicy(t, answer);
  const lines = [...answer.text.matchAll(/<div class="curl"><code>(.*?)<\/code>/g)].map(([, line]) => unescaped(line!));
  t.strictSame(lines, [
    `curl ${proxy.url}/v1/things/my-name:order -d '{"count":1}'`,
    `curl -X PUT ${proxy.url}/v1/orders/my-name -d '{"count":1}'`,
    `curl '${proxy.url}/v1/things?name=my-name'`,
    `curl '${proxy.url}/v1/any/a?count=1'`,
    `curl '${proxy.url}/v1/any/a/b?name=my-name'`,
    `curl -N '${proxy.url}/v1/watch?name=my-name'`,
  ]);
  t.equal([...answer.text.matchAll(/<li data-words/g)].length, 5);
  t.match(answer.text, /<details><summary>1 more binding<\/summary>\n<p class="route"><b class="put">PUT<\/b>/);
  t.match(answer.text, '<a href="/v1/things"><code>', 'a route without variables is a link');
  t.notMatch(answer.text, 'Sells <b>', 'comments are text');
  for (const path of ['/docs', '/openapi.json', '/asyncapi.json', '/health']) t.match(answer.text, `<a href="${path}"`);
});

void t.test('the AsyncAPI document names the place that was asked', async (t) => {
  const proxy = await withProxy(t);
  const { json, headers } = await proxy.send('GET /asyncapi.json', { headers: { host: 'localhost:99' } });
  t.equal(headers['content-type'], 'application/json');
  const { servers, channels } = json as { servers: unknown; channels: Record<string, { address: string }> };
  t.match(servers, { http: { host: 'localhost:99', protocol: 'http' }, websocket: { protocol: 'ws' } });
  t.strictSame(
    Object.values(channels).map(({ address }) => address),
    ['/v1/watch'],
  );
  t.match((await proxy.send('GET /asyncapi.yaml')).text, 'asyncapi: 3.0.0\n');
  const unary = await startTestProxy(proto.replace('(stream Thing)', '(Thing)'));
  t.teardown(() => unary.close());
  t.equal((await unary.send('GET /asyncapi.json')).status, 404, 'nothing streams');
  t.notMatch((await unary.send('GET /')).text, 'asyncapi');
});

void t.test('the lines are those of `photongate routes --curl`', async (t) => {
  const proxy = await withProxy(t);
  const page = await proxy.send('GET /', { headers: { accept: browser } });
  const folder = t.testdir({ 'shop.proto': proto });
  const listen = new URL(proxy.url).host;
  const { stdout } = await runMain(['routes', '--curl', '--proto', 'shop.proto', '--listen', listen], folder);
  const lines = [...page.text.matchAll(/<div class="curl"><code>(.*?)<\/code>/g)].map(([, line]) => unescaped(line!));
  t.strictSame(lines, stdout.trimEnd().split('\n'));
});

void t.test('the lines name the host that was asked, if it is one', async (t) => {
  const proxy = await withProxy(t, { allowedHosts: ['*'] });
  for (const [host, shown] of [
    ['api.example.com', 'http://api.example.com/v1/things'],
    ['[::1]:99', 'http://[::1]:99/v1/things'],
    ["a'$(id)", 'http://127.0.0.1:8080/v1/things'],
    ['a<b>', 'http://127.0.0.1:8080/v1/things'],
  ] as const) {
    const { text } = await proxy.send('GET /', { headers: { accept: browser, host } });
    t.match(unescaped(text), shown, host);
    t.notMatch(text, '$(id)');
  }
});

void t.test('only who names text/html and prefers it gets a page', async (t) => {
  const proxy = await withProxy(t);
  const html = 'text/html; charset=utf-8';
  const json = 'application/json';
  const text = 'text/plain; charset=utf-8';
  const rows: readonly [accept: string, error: string, index: string][] = [
    [browser, html, html],
    ['text/html', html, html],
    ['TEXT/HTML, */*;q=0.1', html, html],
    ['*/*', json, text],
    ['', json, text],
    ['text/*', json, text],
    ['application/json', json, text],
    ['application/json, text/html', json, text],
    ['text/html;q=0.5, application/json', json, text],
    ['text/html;q=0, */*', json, text],
    ['text/html;q=0.9, */*', json, text],
    ['text/plain, text/html;q=0.9', json, text],
    // Java's HttpURLConnection, old and new: a program that names nothing itself.
    ['text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', json, text],
    ['text/html, image/gif, image/jpeg, */*; q=0.2', json, text],
  ];
  for (const [accept, error, index] of rows) {
    const headers = { accept };
    const [unknown, failed, wrong, health, list] = await Promise.all([
      proxy.send('GET /nope', { headers }),
      proxy.send('GET /v1/things?count=x', { headers }),
      proxy.send('PATCH /v1/things', { headers }),
      proxy.send('GET /health', { headers }),
      proxy.send('GET /', { headers }),
    ]);
    t.strictSame([unknown.status, failed.status, wrong.status, health.status], [404, 400, 405, 200], accept);
    const types = [unknown, failed, wrong, health].map((answer) => answer.headers['content-type']);
    t.strictSame(types, [error, error, error, error], accept);
    t.equal(list.headers['content-type'], index, accept);
  }
});

void t.test('an error as a page', async (t) => {
  const proxy = await withProxy(t);
  const headers = { accept: browser };
  const bad = await proxy.send('GET /v1/things?count=%3Cimg%20src=x%3E', { headers });
  checkPolicy(t, bad);
  t.match(bad.text, '<h1>400 Bad Request</h1>');
  t.match(bad.text, '<dt><code>count</code></dt>');
  t.notMatch(bad.text, '<img');
  t.equal(bad.headers['cache-control'], 'no-store');
  const json = await proxy.send('GET /v1/things?count=%3Cimg%20src=x%3E');
  const shown = /<pre>([\s\S]*)<\/pre>/.exec(bad.text)![1]!;
  t.strictSame(JSON.parse(unescaped(shown)), json.json, 'the page shows what a program gets');
  const unknown = await proxy.send('GET /nope', { headers });
  t.match(unknown.text, '<a href="/">/</a> lists what is served');
  t.equal(unknown.reason, (await proxy.send('GET /nope')).reason);
  const wrong = await proxy.send('PATCH /v1/things', { headers });
  t.equal(wrong.headers.allow, (await proxy.send('PATCH /v1/things')).headers.allow);
  const head = await proxy.send('HEAD /nope', { headers });
  t.strictSame([head.status, head.headers['content-type'], head.text], [404, 'text/html; charset=utf-8', '']);
  proxy.service.answer = () => ({ code: 5, details: 'no thing <a>' });
  const failed = await proxy.send('GET /v1/things', { headers });
  t.equal(failed.status, 404);
  t.match(failed.text, '<p class="message">no thing &#60;a&#62;</p>', 'what the service says');
});

void t.test('a path in an error becomes no link to another server', async (t) => {
  const proxy = await withProxy(t, { index: false });
  const { text } = await proxy.send('GET /"GET%20//evil.example"%20lists', { headers: { accept: browser } });
  t.notMatch(text, 'href="//');
});

void t.test('error_pages: false, and ignore_accept, leave errors as they are', async (t) => {
  for (const options of [{ errorPages: false }, { ignoreAccept: true }]) {
    const proxy = await withProxy(t, options);
    const answer = await proxy.send('GET /nope', { headers: { accept: browser } });
    t.equal(answer.headers['content-type'], 'application/json');
  }
});

void t.test('health as a page', async (t) => {
  const proxy = await withProxy(t);
  const answer = await proxy.send('GET /health', { headers: { accept: browser } });
  t.equal(answer.status, 200);
  checkPolicy(t, answer);
  t.match(answer.text, '<h1>Serving</h1>');
  t.match(answer.text, /<th scope="row">shop\.<wbr>v1\.<wbr>Shop<\/th><td class="serving">SERVING<\/td>/);
  const head = await proxy.send('HEAD /health', { headers: { accept: browser } });
  t.equal(head.text, '');
});
