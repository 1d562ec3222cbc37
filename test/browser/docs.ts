/**
 * The pages for browsers in a real one (Debian's package chromium): `/` leads to `/docs`, and a call that is filled in and
 * executed there shows the service's answer.
 *
 *   node --import tsx test/browser/docs.ts
 */
import { deepStrictEqual, ok } from 'node:assert/strict';
import { chromium, type Page } from 'playwright-core';
import { startTestProxy } from '../support/proxy.js';

const proto = `
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
// Sells things.
service Shop {
  // Orders a thing.
  rpc Order(OrderRequest) returns (OrderRequest) { option (google.api.http) = { post: "/v1/things/{name}/order" body: "*" }; }
}
message OrderRequest { string name = 1; int32 count = 2; }
`;

async function tryOrder(page: Page): Promise<unknown> {
  const operation = page.locator('.opblock', { hasText: 'Orders a thing.' });
  await operation.locator('.opblock-summary').click();
  await operation.locator('input[placeholder="name"]').fill('a lamp');
  await operation.locator('textarea.body-param__text').fill('{"count": 3}');
  await operation.locator('button.execute').click();
  const answer = operation.locator('.live-responses-table .response').first();
  await answer.waitFor();
  return {
    status: (await answer.locator('.response-col_status').first().innerText()).trim().slice(0, 3),
    body: JSON.parse(await answer.locator('.highlight-code code').first().innerText()) as unknown,
  };
}

async function main(): Promise<void> {
  const proxy = await startTestProxy(proto);
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  try {
    const page = await browser.newPage();
    const foreign: string[] = [];
    const problems: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(proxy.url) && !request.url().startsWith('data:')) foreign.push(request.url());
    });
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));

    await page.goto(`${proxy.url}/`);
    ok((await page.innerText('body')).includes('/v1/things/{name}/order'), 'the list names the route');
    await page.click('a[href="/docs"]');
    await page.waitForSelector('.opblock');
    deepStrictEqual(await tryOrder(page), { status: '200', body: { name: 'a lamp', count: 3 } });
    deepStrictEqual(foreign, [], 'nothing comes from elsewhere');
    deepStrictEqual(problems, [], 'nothing went wrong in the page');
    if (process.env['SCREENSHOT'] !== undefined)
      await page.screenshot({ path: process.env['SCREENSHOT'], fullPage: true });
    console.log('browser: the list of routes, the reference and a call in it work');
  } finally {
    await browser.close();
    await proxy.close();
  }
}

await main();
