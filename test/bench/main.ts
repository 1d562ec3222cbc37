/** `npm run bench`: all benchmarks, as ratios if a yardstick can run beside us. No timed assertions anywhere. */
import { benchCodec } from './codec.js';
import { benchLong } from './long.js';
import { benchRouter } from './router.js';
import { benchStart } from './start.js';
import { benchUnary } from './unary.js';

const json = process.argv.includes('--json');

const codec = benchCodec();
const long = benchLong();
const router = benchRouter();
const unary = await benchUnary();
const start = await benchStart();

if (json) {
  console.log(JSON.stringify({ codec, long, router, unary, start }, null, 2));
} else {
  console.log('codec, time to that of JSON.parse / JSON.stringify of the same text');
  console.table(codec);
  console.log('strings and bytes of 1 MB, time to that of copying the JSON');
  console.table(long);
  console.log('router, ns for one match');
  console.table(router);
  console.log(
    'unary, CPU time to that of a bare node:http server, to that with grpc-js, and with access log and metrics',
  );
  console.table(unary);
  console.log('start, time until it listens to that of a bare node:http server, and resident memory then');
  console.table(start);
}
