/** Which action of `virtual_hosts` a request gets: the first route that matches of the nearest host. */
import t from 'tap';
import { header } from '../../lib/headers.js';
import { nodeOf, type Plain, Reader } from '../../lib/options/index.js';
import { RouteTable, type RoutedRequest, virtualHostsKind } from '../../lib/routes/index.js';
import { ProblemList } from '../../lib/status.js';

function tableOf(hosts: Plain, ignorePort = false): RouteTable<string> {
  const problems = new ProblemList();
  const virtualHosts = virtualHostsKind.readNode(nodeOf(hosts), new Reader(problems));
  problems.throwIfAny();
  return new RouteTable({ virtualHosts, ignorePort }, (name) => name);
}

/** `GET host/path?query`, and headers. */
function request(line: string, headers: readonly string[] = [], secure = false): RoutedRequest {
  const [, method = '', host = '', path = '', query] = /^(\S+) ([^/]*)(\/[^?]*)(?:\?(.*))?$/.exec(line)!;
  return { method, host, path, query, headers, secure };
}

/** `cluster` or `cluster /new/path`, or `301 https://…`, or `200 body`. */
function found(table: RouteTable<string>, asked: RoutedRequest): string {
  const action = table.match(asked);
  if (action === undefined) return 'none';
  if (action.kind === 'forward') return [action.cluster, action.rewrite?.(asked.path) ?? []].flat().join(' ');
  return `${action.status} ${header(action.headers, 'location') ?? String(action.body)}`;
}

const to = (match: Plain, cluster: string): Plain => ({ match, route: { cluster } });
const host = (domains: string[], cluster: string): Plain => ({ domains, routes: [to({ prefix: '/' }, cluster)] });

void t.test('domains: exact, then suffixes, then prefixes, the longer first, then all', (t) => {
  const table = tableOf([
    host(['api.example.com', 'port.example.com:8080'], 'exact'),
    host(['*.example.com'], 'suffix'),
    host(['*.eu.example.com'], 'longer suffix'),
    host(['api.*'], 'prefix'),
    host(['*'], 'all'),
  ]);
  const cases: readonly [host: string, cluster: string][] = [
    ['api.example.com', 'exact'],
    ['api.example.com:80', 'prefix'],
    ['port.example.com:8080', 'exact'],
    ['x.example.com', 'suffix'],
    ['x.eu.example.com', 'longer suffix'],
    ['.example.com', 'all'],
    ['api.test', 'prefix'],
    ['api.', 'all'],
    ['', 'all'],
  ];
  for (const [name, cluster] of cases) t.equal(found(table, request(`GET ${name}/x`)), cluster, name);
  t.equal(found(tableOf([host(['a.test'], 'a')], true), request('GET a.test:99/x')), 'a');
  t.equal(found(tableOf([host(['a.test'], 'a')]), request('GET a.test:99/x')), 'none');
  t.end();
});

void t.test('matches', (t) => {
  const cases: readonly [match: Plain, line: string, headers: readonly string[], matches: boolean][] = [
    [{ prefix: '/a' }, 'GET h/abc', [], true],
    [{ prefix: '/a' }, 'GET h/Abc', [], false],
    [{ prefix: '/a', ignore_case: true }, 'GET h/Abc', [], true],
    [{ path: '/a' }, 'GET h/a?x=1', [], true],
    [{ path: '/a' }, 'GET h/a/', [], false],
    [{ path_separated_prefix: '/a' }, 'GET h/a', [], true],
    [{ path_separated_prefix: '/a' }, 'GET h/a/b', [], true],
    [{ path_separated_prefix: '/a' }, 'GET h/ab', [], false],
    [{ regex: '/v\\d+/.*' }, 'GET h/v12/x', [], true],
    [{ regex: '/v\\d+' }, 'GET h/v12/x', [], false],
    // Linear, where a backtracking engine needs ages.
    [{ regex: '/(a+)+' }, `GET h/${'a'.repeat(5000)}!`, [], false],
    [{ prefix: '/', headers: [{ name: 'x-a', exact: '1' }] }, 'GET h/', ['x-a', '1'], true],
    [{ prefix: '/', headers: [{ name: 'x-a', exact: '1' }] }, 'GET h/', ['x-a', '1', 'x-a', '2'], false],
    [{ prefix: '/', headers: [{ name: 'x-a', exact: 'A', ignore_case: true }] }, 'GET h/', ['x-a', 'a'], true],
    [{ prefix: '/', headers: [{ name: 'x-a', contains: 'b' }] }, 'GET h/', ['x-a', 'abc'], true],
    [{ prefix: '/', headers: [{ name: 'x-a', prefix: 'b' }] }, 'GET h/', ['x-a', 'abc'], false],
    [{ prefix: '/', headers: [{ name: 'x-a', suffix: 'c' }] }, 'GET h/', ['x-a', 'abc'], true],
    [{ prefix: '/', headers: [{ name: 'x-a', regex: '[a-c]+' }] }, 'GET h/', ['x-a', 'abc'], true],
    [{ prefix: '/', headers: [{ name: 'x-a', range: { start: 1, end: 3 } }] }, 'GET h/', ['x-a', '2'], true],
    [{ prefix: '/', headers: [{ name: 'x-a', range: { start: 1, end: 3 } }] }, 'GET h/', ['x-a', '3'], false],
    [{ prefix: '/', headers: [{ name: 'x-a', present: true }] }, 'GET h/', ['x-a', ''], true],
    [{ prefix: '/', headers: [{ name: 'x-a', present: false }] }, 'GET h/', [], true],
    [{ prefix: '/', headers: [{ name: 'x-a', present: true, invert: true }] }, 'GET h/', [], true],
    [{ prefix: '/', headers: [{ name: 'x-a', exact: '1', invert: true }] }, 'GET h/', ['x-a', '2'], true],
    [{ prefix: '/', headers: [{ name: 'x-a', exact: '', missing_is_empty: true }] }, 'GET h/', [], true],
    [{ prefix: '/', headers: [{ name: ':method', exact: 'PUT' }] }, 'PUT h/', [], true],
    [{ prefix: '/', headers: [{ name: ':path', suffix: '?x' }] }, 'GET h/a?x', [], true],
    [{ prefix: '/', query_parameters: [{ name: 'a' }] }, 'GET h/?b=1&a', [], true],
    [{ prefix: '/', query_parameters: [{ name: 'a', exact: '1' }] }, 'GET h/?a=1', [], true],
    [{ prefix: '/', query_parameters: [{ name: 'a', exact: '1' }] }, 'GET h/?ab=1', [], false],
    [{ prefix: '/', grpc: true }, 'POST h/', ['content-type', 'application/grpc+proto'], true],
    [{ prefix: '/', grpc: true }, 'POST h/', ['content-type', 'application/grpc-web'], false],
  ];
  for (const [match, line, headers, matches] of cases) {
    const table = tableOf([{ domains: ['*'], routes: [to(match, 'yes')] }]);
    t.equal(
      found(table, request(line, headers)),
      matches ? 'yes' : 'none',
      `${JSON.stringify(match)} ${line.slice(0, 60)}`,
    );
  }
  t.end();
});

void t.test('rewrites, redirects and answers', (t) => {
  const cases: readonly [route: Plain, line: string, result: string][] = [
    [{ match: { prefix: '/api/' }, route: { cluster: 'c', prefix_rewrite: '/' } }, 'GET h/api/x', 'c /x'],
    [{ match: { path: '/a' }, route: { cluster: 'c', prefix_rewrite: '/b' } }, 'GET h/a', 'c /b'],
    [
      {
        match: { prefix: '/' },
        route: { cluster: 'c', regex_rewrite: { pattern: '^/u/(\\w+)', substitution: '/$\\1' } },
      },
      'GET h/u/ann/x',
      'c /$ann/x',
    ],
    [{ match: { prefix: '/' }, redirect: { scheme: 'https' } }, 'GET h:80/x?y=1', '301 https://h/x?y=1'],
    [{ match: { prefix: '/' }, redirect: { host: 'other', status: 308 } }, 'GET h/x', '308 http://other/x'],
    [{ match: { prefix: '/' }, redirect: { port: 8443, strip_query: true } }, 'GET h:1/x?y', '301 http://h:8443/x'],
    [{ match: { prefix: '/' }, redirect: { path: '/new' } }, 'GET h/x?y=1', '301 http://h/new?y=1'],
    [{ match: { prefix: '/a' }, redirect: { prefix_rewrite: '/b' } }, 'GET h/a/x', '301 http://h/b/x'],
    [{ match: { prefix: '/' }, direct_response: { status: 200, body: 'ok' } }, 'GET h/', '200 ok'],
  ];
  for (const [route, line, result] of cases) {
    t.equal(found(tableOf([{ domains: ['*'], routes: [route] }]), request(line)), result, line);
  }
  t.end();
});

void t.test('weights', (t) => {
  const weighted = [
    { name: 'a', weight: 3 },
    { name: 'b', weight: 1 },
    { name: 'never', weight: 0 },
  ];
  const table = tableOf([
    { domains: ['*'], routes: [{ match: { prefix: '/' }, route: { weighted_clusters: weighted } }] },
  ]);
  const counts = new Map<string, number>();
  for (let index = 0; index < 4000; index++) {
    const cluster = found(table, request('GET h/'));
    counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
  }
  t.strictSame([...counts.keys()].sort(), ['a', 'b']);
  t.ok(counts.get('a')! > 2600 && counts.get('a')! < 3400, 'three of four');
  t.end();
});

void t.test('what is wrong', (t) => {
  const cases: readonly [hosts: Plain, message: RegExp][] = [
    [[{ domains: ['a*b'], routes: [] }], /a host such as api\.example\.com/],
    [[host(['a'], 'x'), host(['A'], 'y')], /the domain "a" is given twice/],
    [[{ domains: ['*'], routes: [to({}, 'x')] }], /one of prefix, path, path_separated_prefix, regex; found 0/],
    [[{ domains: ['*'], routes: [to({ prefix: '/', path: '/' }, 'x')] }], /found 2/],
    [[{ domains: ['*'], routes: [to({ regex: '(' }, 'x')] }], /is no regular expression/],
    [[{ domains: ['*'], routes: [{ match: { prefix: '/' } }] }], /one of route, redirect and direct_response/],
    [[{ domains: ['*'], routes: [{ match: { prefix: '/' }, route: {} }] }], /cluster or weighted_clusters/],
    [
      [
        {
          domains: ['*'],
          routes: [
            { match: { prefix: '/' }, route: { cluster: 'c', regex_rewrite: { pattern: 'a', substitution: '\\1' } } },
          ],
        },
      ],
      /the substitution has "\\\\1"; expected \\0 to \\0/,
    ],
    [
      [
        {
          domains: ['*'],
          routes: [
            { ...(to({ prefix: '/' }, 'c') as object), request_headers: [{ name: 'x', value: '%NOPE%' }] },
          ] as Plain,
        },
      ],
      /%NOPE% is not known/,
    ],
    ...['constructor', '__proto__', 'toString'].map((name): [Plain, RegExp] => [
      [
        {
          domains: ['*'],
          routes: [{ ...(to({ prefix: '/' }, 'c') as object), request_headers: [{ name: 'x', value: `%${name}%` }] }],
        },
      ],
      /is not known/,
    ]),
    ...[':path', 'Host', 'content-length', 'transfer-encoding', 'connection', 'te', 'expect'].flatMap((name) =>
      [{ name, value: 'x' }, { remove: name }].map((change): [Plain, RegExp] => [
        [{ domains: ['*'], routes: [{ ...(to({ prefix: '/' }, 'c') as object), response_headers: [change] }] }],
        /cannot be changed/,
      ]),
    ),
  ];
  for (const [hosts, message] of cases) t.throws(() => tableOf(hosts), { message });
  t.end();
});
