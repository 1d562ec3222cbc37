/**
 * The pages for browsers in a real one (Debian's package chromium), on a phone, a tablet and a desk, light and dark: the list
 * of routes finds and copies, the reference finds, calls, and stops a stream, nothing is wider than the window, nothing is
 * asked for elsewhere, and axe finds nothing in the pages that are ours.
 *
 *   SCREENSHOTS=/tmp/shots node --import tsx test/browser/docs.ts
 */
import { deepStrictEqual, equal, match, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { startTestProxy, type TestProxy } from '../support/proxy.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const proto = `
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
// Sells things.
service Shop {
  // Orders a thing.
  rpc Order(Thing) returns (Thing) {
    option (google.api.http) = {
      post: "/v1/things/{name}/order" body: "*"
      additional_bindings { put: "/v1/a/path/that/is/long/enough/for/a/phone/{name}/order" body: "*" }
    };
  }
  // Lists them.
  rpc List(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/things" }; }
  // Tells what happens.
  rpc Watch(Thing) returns (stream Thing) { option (google.api.http) = { get: "/v1/watch" }; }
}
// Buys things.
service Buyers { rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/buyers/{name}" }; } }
message Thing { string name = 1; int32 count = 2; int64 sold = 3; }
`;

const widths = [390, 768, 1280];
const schemes = ['light', 'dark'] as const;

/** A page that keeps what went wrong in it. */
class Tab {
  readonly foreign: string[] = [];
  readonly problems: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly name: string,
  ) {}

  static async open(context: BrowserContext, proxy: TestProxy, name: string): Promise<Tab> {
    const tab = new Tab(await context.newPage(), name);
    const { page } = tab;
    page.setDefaultTimeout(60_000);
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(proxy.url) && !/^(?:data|blob):/.test(url)) tab.foreign.push(url);
    });
    page.on('console', (message) => {
      if (message.type() === 'error') tab.problems.push(message.text());
    });
    page.on('pageerror', (error) => tab.problems.push(error.message));
    return tab;
  }

  /** What is to hold of every page. @param isOurs it is made here, and not by Scalar */
  async check(what: string, isOurs: boolean): Promise<void> {
    const { page } = this;
    const where = `${what}, ${this.name}`;
    const overhang = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    ok(overhang <= 0, `${where}: ${overhang} px wider than the window`);
    if (process.env['SCREENSHOTS'] !== undefined) {
      await page.screenshot({ path: join(process.env['SCREENSHOTS'], `${where.replaceAll(/\W+/g, '-')}.png`) });
    }
    if (isOurs) deepStrictEqual(await violations(page), [], `${where}: axe`);
    deepStrictEqual(this.foreign, [], `${where}: nothing comes from elsewhere`);
    deepStrictEqual(this.problems, [], `${where}: nothing went wrong`);
  }
}

async function violations(page: Page): Promise<string[]> {
  // The pages' own policy forbids scripts, but not those of the browser's tools.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations: found } = await (
      globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
    ).axe.run();
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}

async function isDark(page: Page): Promise<boolean> {
  const colour = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
  const [red = 255] = /\d+/g.exec(colour)!.map(Number);
  return red < 128;
}

async function tryIndex(tab: Tab, proxy: TestProxy, scheme: string): Promise<void> {
  const { page } = tab;
  await page.goto(`${proxy.url}/`);
  equal(await isDark(page), scheme === 'dark');
  await tab.check('list', true);
  const lines = page.locator('.rpcs > li:visible');
  equal(await lines.count(), 4);
  await page.keyboard.press('/');
  await page.keyboard.type('order thing');
  equal(await lines.count(), 1);
  equal(await page.locator('#found').innerText(), '1 of 4 RPCs');
  equal(await page.locator('section:visible').count(), 1, 'a service without hits is not shown');
  await lines.first().locator('.curl button').first().click();
  await page.locator('button', { hasText: 'Copied' }).waitFor();
  equal(
    await page.evaluate('navigator.clipboard.readText()'),
    `curl ${proxy.url}/v1/things/my-name/order -d '{"count":1,"sold":"1"}'`,
  );
  await lines.first().locator('summary').click();
  ok(await lines.first().locator('details .curl').isVisible());
  await tab.check('found', true);
}

async function tryErrors(tab: Tab, proxy: TestProxy): Promise<void> {
  const { page } = tab;
  await page.goto(`${proxy.url}/health`);
  equal(await page.locator('h1').innerText(), 'Serving');
  await tab.check('health', true);
  await page.goto(`${proxy.url}/v1/${'a-long-name/'.repeat(20)}`);
  equal(await page.locator('h1').innerText(), '404 Not Found');
  await page.locator('summary').click();
  match(await page.locator('pre').innerText(), /"code": 5/);
  // The browser itself reports each answer that is an error.
  tab.problems.splice(0);
  await tab.check('error', true);
  await page.locator('p.message a').click();
  await page.waitForURL(`${proxy.url}/`);
}

/** Opens the client of an operation, which Scalar puts over the page. */
async function openClient(page: Page, method: string, path: string): Promise<void> {
  const operation = page.locator(`button:has-text("Test Request")`, { hasText: `${method} ${path}` });
  await operation.scrollIntoViewIfNeeded();
  await operation.click();
  await page.getByRole('dialog').waitFor();
}

async function tryDocs(tab: Tab, proxy: TestProxy, scheme: string, isNarrow: boolean): Promise<void> {
  const { page } = tab;
  await page.goto(`${proxy.url}/docs`);
  await page.getByRole('heading', { name: 'shop.v1.Shop' }).waitFor();
  equal(await isDark(page), scheme === 'dark');
  await tab.check('reference', false);
  const curl = page.locator('pre', { hasText: `curl ${proxy.url}/v1/things/my-name/order` }).first();
  await curl.scrollIntoViewIfNeeded();
  match(await curl.innerText(), /curl http:\S+ -d '\{"count":1,"sold":"1"\}'/);
  const { width: room } = (await curl.locator('xpath=..').boundingBox())!;
  ok((await curl.locator('.line').first().boundingBox())!.width <= room, 'the line is not cut off');
  await tab.check('operation', false);
  if (isNarrow) return;
  await page.keyboard.press('Control+k');
  await page.keyboard.type('happens');
  await page
    .getByRole('option', { name: /Tells what happens/ })
    .first()
    .click();
  await page.waitForURL(/GET\/v1\/watch/);
}

/** The call and the stream, once: they do not depend on the window. */
async function tryCalls(tab: Tab, proxy: TestProxy): Promise<void> {
  const { page } = tab;
  await page.goto(`${proxy.url}/docs`);
  await openClient(page, 'post', '/v1/things/{name}/order');
  await page.getByRole('button', { name: /^Send/ }).first().click();
  await page.getByText('200', { exact: false }).first().waitFor();
  await page.getByRole('dialog').getByText('"count": 1').last().waitFor();
  await tab.check('call', false);
  await page.goto('about:blank');

  await page.goto(`${proxy.url}/docs`);
  let end = (): void => undefined;
  let isCancelled = (): void => undefined;
  const cancelled = new Promise<void>((resolve) => (isCancelled = resolve));
  proxy.service.answer = () => ({
    drive(call) {
      // name: "lamp"
      call.write(Buffer.from('0a046c616d70', 'hex'));
      call.on('cancelled', isCancelled);
      end = () => call.end();
    },
  });
  await openClient(page, 'get', '/v1/watch');
  await page.getByRole('button', { name: /^Send/ }).first().click();
  await page.getByRole('dialog').getByText('lamp').first().waitFor();
  await tab.check('stream', false);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await cancelled;
  end();
}

async function inWindow(browser: Browser, proxy: TestProxy, width: number, scheme: 'light' | 'dark'): Promise<void> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const tab = await Tab.open(context, proxy, `${width} ${scheme}`);
  await tryIndex(tab, proxy, scheme);
  await tryErrors(tab, proxy);
  await tryDocs(tab, proxy, scheme, width < 1000);
  if (width === 1280 && scheme === 'light') await tryCalls(tab, proxy);
  await context.close();
}

async function main(): Promise<void> {
  const proxy = await startTestProxy(proto);
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  try {
    for (const width of widths) for (const scheme of schemes) await inWindow(browser, proxy, width, scheme);
    console.log('browser: the list of routes, errors, the reference, a call and a stream in it work');
  } finally {
    await browser.close();
    await proxy.close();
  }
}

await main();
