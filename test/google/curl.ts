/** Every line that `photongate routes --curl` prints for google-proto-files, sent: each must be answered by its own rpc. */
import { MemoryExchange } from '../support/exchange.js';
import { requestOf } from '../support/curl.js';
import { curlLine } from '../../lib/openapi/index.js';
import type { Google } from './google.js';

// Of its rule every path is taken by two rules of ListDocuments.
const unreachable = ['google.firestore.v1.Firestore.GetDocument'];

/** Whether all did. */
export async function checkCurlLines(google: Google): Promise<boolean> {
  let failed = 0;
  let exempt = 0;
  for (const binding of google.bindings) {
    const { httpMethod } = binding;
    const line = curlLine(
      binding,
      'http://localhost',
      (path) => google.bindingFor(httpMethod === '*' ? 'GET' : httpMethod, path) === binding,
    );
    const exchange = new MemoryExchange(requestOf(line));
    google.gateway.handle(exchange);
    const { status, body } = await exchange.answer;
    const path = google.taken()?.request.path;
    if (unreachable.includes(binding.method.fullName)) {
      exempt++;
      continue;
    }
    const streams = binding.method.clientStreaming || binding.method.serverStreaming;
    if (streams ? status === 501 || path === binding.method.path : status === 200 && path === binding.method.path)
      continue;
    failed++;
    if (failed < 20) {
      console.error(`${binding.method.fullName}: ${status} by ${path ?? 'no rpc'}\n  ${line}\n  ${body.toString()}`);
    }
  }
  console.log(
    `${google.bindings.length - failed - exempt} of ${google.bindings.length} curl lines reach their rpc, ${exempt} can not, ${failed} fail`,
  );
  return failed === 0;
}
