/** Targets, `--upstream` specs and the table that finds a service's channel. Nothing is connected here. */
import fc from 'fast-check';
import t from 'tap';
import { ConfigError, type Problem } from '../../lib/status.js';
import { ChannelPool, parseTarget, parseUpstream, unusedUpstreams, UpstreamTable } from '../../lib/upstream/index.js';

function problemsOf(run: () => unknown): readonly Problem[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('no ConfigError');
}

function problemOf(run: () => unknown): { code: string; text: string } {
  const { code, message, hint } = problemsOf(run)[0]!;
  return { code, text: `${message}; ${hint}` };
}

void t.test('targets that are taken, as gRPC URIs', (t) => {
  const cases: readonly (readonly [target: string, uri: string])[] = [
    ['127.0.0.1:50051', 'dns:///127.0.0.1:50051'],
    ['localhost:1', 'dns:///localhost:1'],
    ['[::1]:65535', 'dns:///[::1]:65535'],
    ['my_svc.ns.svc.cluster.local.:80', 'dns:///my_svc.ns.svc.cluster.local.:80'],
    ['unix:8080', 'dns:///unix:8080'],
    ['dns:///iam:50053', 'dns:///iam:50053'],
    ['dns:iam:50053', 'dns:///iam:50053'],
    ['dns://8.8.8.8/iam:50053', 'dns://8.8.8.8/iam:50053'],
    ['unix:/run/a.sock', 'unix:/run/a.sock'],
    ['unix:///run/a.sock', 'unix:/run/a.sock'],
    ['unix:run/a=b.sock', 'unix:run/a=b.sock'],
    ['ipv4:10.0.0.1:50051,10.0.0.2:50052', 'ipv4:10.0.0.1:50051,10.0.0.2:50052'],
    ['ipv6:[::1]:50051', 'ipv6:[::1]:50051'],
  ];
  for (const [target, uri] of cases) t.strictSame(parseTarget(target), { text: target, uri }, target);
  t.end();
});

void t.test('targets that are refused say what to write', (t) => {
  const cases: readonly (readonly [target: string, text: string])[] = [
    ['', 'target "" names no host; write host:port, such as 127.0.0.1:50051'],
    ['localhost', 'target "localhost" has no port; write localhost:50051'],
    ['localhost:', 'target "localhost:" has no port; write localhost:50051'],
    ['50051', 'target "50051" is a port without a host; write 127.0.0.1:50051'],
    [':50051', 'target ":50051" is a port without a host; write 127.0.0.1:50051'],
    ['h:0', 'target "h:0" has port "0", expected a number from 1 to 65535; write h:50051'],
    ['h:65536', 'target "h:65536" has port "65536", expected a number from 1 to 65535; write h:50051'],
    ['::1', 'target "::1" is an IPv6 address without a port; write [::1]:50051'],
    ['a:b:1', 'target "a:b:1" has more than one colon; write host:port, and an IPv6 address in brackets: [::1]:50051'],
    ['[zz]:1', 'target "[zz]:1" has "[zz]", which is not an IPv6 address; write [::1]:50051'],
    ['a b:1', 'target "a b:1" has "a b" where a host name belongs; write host:port, such as 127.0.0.1:50051'],
    [
      'http://127.0.0.1:50051/x',
      'target "http://127.0.0.1:50051/x" starts with "http:"; known are dns:, dns+srv:, unix:, ipv4:, ipv6: and xds:; write 127.0.0.1:50051',
    ],
    ['xds:///', 'target "xds:///" names no listener of the control plane; write xds:///name'],
    ['xds://iam', 'target "xds://iam" names no listener of the control plane; write xds:///iam'],
    ['xds:///a b', 'target "xds:///a b" has " ", which no name of a listener has; write it percent-encoded'],
    ['dns://iam', 'target "dns://iam" names a DNS server but no host; write dns:///iam'],
    ['dns:///iam', 'target "dns:///iam" has no port; write iam:50051'],
    ['unix:', 'target "unix:" has no path to a socket; write unix:/path/to/the.sock'],
    ['unix:/run/', 'target "unix:/run/" has no path to a socket; write unix:/path/to/the.sock'],
    ['unix://run/a', 'target "unix://run/a" has two slashes after unix:; write unix:/run/a or unix:///run/a'],
    [
      'ipv4:localhost:1',
      'target "ipv4:localhost:1" has "localhost" where ipv4 wants an address; write ipv4:127.0.0.1:50051',
    ],
    ['ipv6:[::1]', 'target "ipv6:[::1]" has no port; write [::1]:50051'],
  ];
  for (const [target, text] of cases) {
    t.strictSame(
      problemOf(() => parseTarget(target)),
      { code: 'bad-target', text: `--upstream ${text}` },
      target,
    );
  }
  t.end();
});

void t.test('any text is a target or a ConfigError, and what is taken opens a channel', (t) => {
  const pool = new ChannelPool();
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^(dns|unix|ipv4|http)?:?\/{0,3}[a-z0-9[\]:.,=]{0,12}$/)),
      (text) => {
        try {
          parseUpstream(text);
        } catch (error) {
          return error instanceof ConfigError;
        }
        pool.open(parseUpstream(text).target);
        return true;
      },
    ),
    { numRuns: 300 },
  );
  pool.close();
  t.end();
});

void t.test('specs: a name, or the upstream for all', (t) => {
  t.strictSame(parseUpstream('127.0.0.1:1'), { name: undefined, target: '127.0.0.1:1' });
  t.strictSame(parseUpstream('a.v1=127.0.0.1:1'), { name: 'a.v1', target: '127.0.0.1:1' });
  t.strictSame(parseUpstream('unix:/tmp/a=b'), { name: undefined, target: 'unix:/tmp/a=b' });
  t.strictSame(parseUpstream('a.v1.S=unix:/tmp/a=b'), { name: 'a.v1.S', target: 'unix:/tmp/a=b' });
  const cases: readonly (readonly [spec: string, code: string, text: string])[] = [
    [
      'a.v1.*=h:1',
      'bad-upstream',
      '--upstream "a.v1.*=h:1" has "a.v1.*" before the "=", expected the full name of a service or package; write --upstream a.v1=h:1',
    ],
    [
      '/a.S/=h:1',
      'bad-upstream',
      '--upstream "/a.S/=h:1" has "/a.S/" before the "=", expected the full name of a service or package; write --upstream a.S=h:1',
    ],
    [
      '=h:1',
      'bad-upstream',
      '--upstream "=h:1" has "" before the "=", expected the full name of a service or package; write --upstream package.Service=h:1',
    ],
    ['a.v1=', 'bad-target', '--upstream target "" names no host; write host:port, such as 127.0.0.1:50051'],
  ];
  for (const [spec, code, text] of cases)
    t.strictSame(
      problemOf(() => parseUpstream(spec)),
      { code, text },
      spec,
    );
  t.end();
});

void t.test('table: service, package, enclosing package, default', (t) => {
  const pool = new ChannelPool();
  t.teardown(() => pool.close());
  const specs = ['h:1', 'a=h:2', 'a.v1=h:3', 'a.v1.Books=h:4', 'a.v2x=h:5'].map(parseUpstream);
  const table = new UpstreamTable(specs, pool);
  const cases: readonly (readonly [service: string, target: string])[] = [
    ['a.v1.Books', 'h:4'],
    ['a.v1.Shelves', 'h:3'],
    ['a.v1.Books.Inner', 'h:4'],
    ['a.v1.deep.er.S', 'h:3'],
    ['a.v2.S', 'h:2'],
    ['ab.v1.S', 'h:1'],
    ['S', 'h:1'],
  ];
  for (const [service, target] of cases) t.equal(table.channelFor(service).target, target, service);
  t.equal(pool.open('h:4'), table.channelFor('a.v1.Books'), 'one channel for each target');
  t.not(pool.open('h:4', { maxReceiveBytes: 1 }), table.channelFor('a.v1.Books'), 'other options, another channel');
  t.end();
});

void t.test('table: what is wrong is a problem at start', (t) => {
  const pool = new ChannelPool();
  t.teardown(() => pool.close());
  const table = new UpstreamTable([parseUpstream('book.v1=h:1')], pool);
  t.strictSame(
    problemOf(() => table.channelFor('iam.v1.Users')),
    {
      code: 'no-upstream',
      text: 'service iam.v1.Users has no upstream; write --upstream host:port for all services, or --upstream iam.v1.Users=host:port',
    },
  );
  const specs = ['h:1', 'a=h:2', 'a=h:3', 'h:4'].map(parseUpstream);
  t.strictSame(
    problemsOf(() => new UpstreamTable(specs, pool)).map(({ code, message }) => `${code}: ${message}`),
    [
      'duplicate-upstream: there are two upstreams for a: h:2 and h:3',
      'duplicate-upstream: there are two upstreams for all other services: h:1 and h:4',
    ],
  );
  t.strictSame(unusedUpstreams(['book.v1', undefined], ['book.v1.Shelves']), []);
  t.match(unusedUpstreams(['book.v1'], ['books.v1.Shelves']), [
    { code: 'unused-upstream', message: /^--upstream book\.v1=… names no service/, hint: 'did you mean books.v1?' },
  ]);
  t.match(unusedUpstreams(['book.v1'], ['iam.Users']), [{ hint: 'served are: iam.Users' }]);
  t.end();
});
