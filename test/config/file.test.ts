/** What a configuration file says of mistakes, and where. */
import t from 'tap';
import { parseConfigFile } from '../../lib/config/file.js';
import { ProblemList } from '../../lib/status.js';

const rows: readonly [text: string, ...errors: string[]][] = [
  ['5', '1:1 config-type a configuration is a map of keys, such as "proto: [protos]"'],
  ['proto: [a, 5]', '1:12 config-type found "5", expected a text or a list of texts'],
  ['watch: maybe', '1:8 bad-option watch: found "maybe", expected true or false'],
  ['tls: { cert: 5 }', '1:14 bad-option tls.cert: found "5", expected a path, or none'],
  [
    'tls: { kee: x }',
    '1:8 unknown-key there is no key "kee" here; "tls" has: cert, key, client_ca, client_cert; did you mean key?',
  ],
  ['tls: x', '1:6 config-type "tls" is false or a map such as { cert: FILE, key: FILE }'],
  ['upstreams: 5', '1:12 config-type "upstreams" is a map such as "chainfire.v1: 127.0.0.1:50051"'],
  ['upstreams: { a: 5 }', '1:17 config-type the upstream of a is a target such as 127.0.0.1:50051'],
  ['upstreams: { a: { tls: true } }', '1:17 config-type the upstream of a is a target such as 127.0.0.1:50051'],
  [
    'upstreams: { a: { target: "a:1", tls: { ca: 5 } } }',
    '1:45 bad-option tls.ca: found "5", expected a path, or none',
  ],
  [
    'upstreams: { a: { target: "a:1", tls: x } }',
    '1:39 config-type "tls" is true, false or a map such as { ca: FILE }',
  ],
  ['listeners: 5', '1:12 config-type "listeners" is a list, each element with "listen: [host:]port"'],
  ['listeners: [5]', '1:13 config-type a listener is a map with "listen: [host:]port"'],
  ['listeners: [{ health: true }]', '1:13 config-type this listener has no "listen: [host:]port"'],
  [
    'listen: 1\nlisteners: []',
    '1:1 config-conflict "listen" and "listeners" are both given; write the addresses in "listeners"',
  ],
  [
    'policies: { cros: false }',
    '1:13 unknown-key there is no key "cros" here; "policies" has: addresses, cors, jwt, api_keys, rate_limits, rate_limit_service, idempotency; did you mean cors?',
  ],
  [
    'methods: [x]',
    '1:10 config-type "methods" is a map of selectors, such as "pkg.Service.Method: { success_status: 201 }"',
  ],
  [
    'idle_timeout: 5\nhealth: 5',
    '1:15 bad-option idle_timeout: found "5", expected a time such as 250ms, 1.5s, 2m or 1h, from 1ms to 596h',
    '2:9 bad-option health: found "5", expected true or false',
  ],
];

void t.test('mistakes', (t) => {
  for (const [text, ...expected] of rows) {
    const problems = new ProblemList();
    parseConfigFile('c.yaml', text, '/', problems);
    const found = problems.errors.map(
      ({ code, message, place }) => `${place?.line}:${place?.column} ${code} ${message}`,
    );
    t.strictSame(found, expected, text);
  }
  t.end();
});
