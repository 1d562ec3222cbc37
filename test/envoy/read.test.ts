/** What is wrong with a bootstrap is reported with its path, line and column; nothing is ignored. */
import t from 'tap';
import { parse } from 'yaml';
import { loadConfig } from '../../lib/index.js';
import { translateBootstrap } from '../../lib/envoy/index.js';
import { type Plain } from '../../lib/options/index.js';
import { ConfigError, type Problem, ProblemList } from '../../lib/status.js';
import { bootstrapOf } from './bootstrap.js';

interface Translated {
  readonly config: Readonly<Record<string, Plain>>;
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

function translate(text: string | readonly string[], lenient = false): Translated {
  const problems = new ProblemList();
  const sources = [text].flat().map((one) => ({ name: 'envoy.yaml', text: one }));
  const { settings: config } = translateBootstrap(sources, { lenient, problems });
  return { config, errors: problems.errors, warnings: problems.warnings };
}

const good = bootstrapOf({});

void t.test('a whole bootstrap', (t) => {
  const { config, errors, warnings } = translate(good);
  t.strictSame(errors, []);
  t.match(warnings, [{ code: 'envoy-precedence' }]);
  t.equal(warnings.length, 1);
  t.strictSame(config['clusters'], {
    grpc: {
      endpoints: ['127.0.0.1:50051'],
      protocol: 'http2',
      load_balancing_policy: 'round_robin',
      circuit_breaker: { max_calls: 1024, max_pending_calls: 1024, max_retries: 3, header: 'x-envoy-overloaded' },
      addresses: 'all',
      connect_timeout: '5s',
    },
  });
  t.same(config['descriptor_set'], ['echo.pb']);
  t.match(config['listeners'], [
    {
      listen: ['127.0.0.1:51051'],
      preset: 'envoy',
      services: ['echo.v1.Echo'],
      server_name: 'envoy',
      virtual_hosts: [
        { domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'grpc', timeout: '15s' } }] },
      ],
    },
  ]);
  t.end();
});

void t.test('camelCase keys, JSON, and names of enums in any case', (t) => {
  const camel = good
    .replace('static_resources', 'staticResources')
    .replace('filter_chains', 'filterChains')
    .replace('type: STATIC', 'type: static');
  t.strictSame(translate(camel), translate(good));
  t.end();
});

void t.test('--config-yaml: scalars are replaced, lists add up', (t) => {
  const { config, errors } = translate([
    good,
    'static_resources: { clusters: [{ name: other, load_assignment: { endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: h, port_value: 1 } } } }] }] } }] }',
  ]);
  t.strictSame(errors, []);
  t.same(Object.keys(config['clusters'] as object), ['grpc', 'other']);
  t.end();
});

const corsFilter =
  '- { name: cors, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors } }';

/** A line with a policy that lets one origin call. */
function corsPolicy(origin: string, more = ''): string {
  return `typed_per_filter_config: { cors: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, allow_origin_string_match: [{ exact: "${origin}" }]${more} } }`;
}

/** Lines of a bootstrap that are wrong, and what is said of them. */
const HCM = 'static_resources.listeners[0].filter_chains[0].filters[0].typed_config';
const wrong: readonly [name: string, text: string, message: string | RegExp, hint: string | RegExp | undefined][] = [
  [
    'an unknown key',
    bootstrapOf({ listener: 'nmae: x' }),
    'static_resources.listeners[0].nmae: this key is not known here',
    'did you mean name?',
  ],
  [
    'a key that cannot be honoured',
    bootstrapOf({ manager: 'tracing: {}' }),
    `${HCM}.tracing: it cannot be honoured here`,
    'spans are not sent; traceparent of clients is passed on',
  ],
  [
    'a filter that is not here',
    bootstrapOf({
      filters:
        '- { name: lua, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua } }',
    }),
    /http_filters\[0\]\.typed_config: "envoy\.extensions\.filters\.http\.lua\.v3\.Lua" cannot be honoured here/,
    /put what the script does into the service/,
  ],
  [
    'a filter that nobody knows',
    bootstrapOf({ filters: '- { name: x, typed_config: { "@type": type.googleapis.com/some.Filter } }' }),
    /"some\.Filter" is not known here/,
    /known here are:/,
  ],
  [
    'the v2 name of a type',
    bootstrapOf({
      filters:
        '- { name: x, typed_config: { "@type": type.googleapis.com/envoy.config.filter.http.router.v2.Router } }',
    }),
    /is of the v2 API, which is gone/,
    'write "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
  ],
  [
    'v2 hosts',
    bootstrapOf({ cluster: 'hosts: [{ socket_address: { address: a, port_value: 1 } }]' }),
    'static_resources.clusters[0].hosts: it cannot be honoured here',
    'it is of the v2 API: write load_assignment',
  ],
  [
    'a value of another kind',
    bootstrapOf({ cluster: 'connect_timeout: 5' }),
    'static_resources.clusters[0].connect_timeout: found "5", expected a duration such as 0.25s or 60s',
    undefined,
  ],
  [
    'an unknown name of an enum',
    bootstrapOf({ manager: 'codec_type: HTTTP1' }),
    `${HCM}.codec_type: found "HTTTP1", expected one of AUTO, HTTP1, HTTP2, HTTP3`,
    'did you mean HTTP1?',
  ],
  [
    'a name of an enum that cannot be honoured',
    bootstrapOf({ cluster: 'lb_policy: ORIGINAL_DST_LB' }),
    'static_resources.clusters[0].lb_policy: ORIGINAL_DST_LB cannot be honoured here',
    /write ROUND_ROBIN/,
  ],
  [
    'a limit of connections that cannot be held',
    bootstrapOf({ cluster: 'circuit_breakers: { thresholds: [{ max_connections: 1 }] }' }),
    'static_resources.clusters[0].circuit_breakers.thresholds[0]: max_connections: 1 cannot be honoured',
    'write max_requests',
  ],
  [
    'a budget of retries',
    bootstrapOf({ cluster: 'circuit_breakers: { thresholds: [{ retry_budget: {} }] }' }),
    'static_resources.clusters[0].circuit_breakers.thresholds[0].retry_budget: it cannot be honoured here',
    'write max_retries',
  ],
  [
    'dynamic resources',
    `${good}dynamic_resources: {}\n`,
    'dynamic_resources: it cannot be honoured here',
    /only static_resources are read/,
  ],
  [
    'a matcher of routes that is not here',
    bootstrapOf({ match: 'prefix: /, connect_matcher: {}' }),
    `${HCM}.route_config.virtual_hosts[0].routes[0].match.connect_matcher: it cannot be honoured here`,
    'CONNECT is not served here',
  ],
  [
    'a route filter',
    bootstrapOf({
      route:
        'typed_per_filter_config: { envoy.filters.http.grpc_json_transcoder: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy } }',
    }),
    /typed_per_filter_config\."envoy\.filters\.http\.grpc_json_transcoder": the filter cannot be configured anew for a route/,
    /another listener/,
  ],
  [
    'a route filter that is not there',
    bootstrapOf({
      route:
        'typed_per_filter_config: { t: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy } }',
    }),
    /typed_per_filter_config\."t": none of http_filters has this name/,
    'names are: envoy.filters.http.grpc_json_transcoder, envoy.filters.http.router',
  ],
  ...[':path', ':authority', 'Host', 'content-length', 'transfer-encoding', 'connection', 'te', 'upgrade'].map(
    (name): (typeof wrong)[number] => [
      `a change of ${name}`,
      bootstrapOf({ route: `request_headers_to_add: [{ header: { key: "${name}", value: x } }]` }),
      `request_headers_to_add[0].header.key: "${name}" cannot be changed`,
      /./,
    ],
  ),
  [
    'the removal of host',
    bootstrapOf({ route: 'response_headers_to_remove: [x-a, host]' }),
    'response_headers_to_remove[1]: "host" cannot be changed',
    'host decides where a request goes; write host_rewrite instead',
  ],
  [
    'a header that is none',
    bootstrapOf({ route: 'request_headers_to_add: [{ header: { key: "x a", value: x } }]' }),
    'request_headers_to_add[0].header.key: found "x a", expected the name of a header',
    undefined,
  ],
  [
    'a command that is none',
    bootstrapOf({ route: 'request_headers_to_add: [{ header: { key: x-a, value: "%NOPE%" } }]' }),
    /request_headers_to_add\[0\]\.header\.value: %NOPE% is not known; known are %REQ\(name\)%/,
    undefined,
  ],
  [
    'a regular expression that is none',
    bootstrapOf({ match: 'safe_regex: { regex: "(" }' }),
    /match\.safe_regex\.regex: "\(" is no regular expression/,
    undefined,
  ],
  [
    'a time that is finer than a millisecond',
    bootstrapOf({ action: 'timeout: 0.0001s' }),
    'route.timeout: found "0.0001s", expected a duration of at least 0.001s, or 0s',
    undefined,
  ],
  [
    'no time where some is needed',
    bootstrapOf({ cluster: 'connect_timeout: 0s' }),
    'static_resources.clusters[0].connect_timeout: found "0s", expected a duration of at least 0.001s',
    undefined,
  ],
  [
    'a time that is too long',
    bootstrapOf({ action: 'timeout: 31536000s' }),
    'route.timeout: "31536000s" is longer than a timer runs',
    'write at most 2147483s',
  ],
  [
    'an age that is none',
    bootstrapOf({ filters: corsFilter, route: corsPolicy('https://a.test', ', max_age: 1d') }),
    /max_age: found "1d", expected a whole number of seconds as a text/,
    undefined,
  ],
  [
    'a CORS policy without its filter',
    bootstrapOf({ hosts: '- { name: a, domains: ["*"], routes: [], cors: { allow_methods: GET } }' }),
    /cors: http_filters has no cors filter, so it counts for nothing/,
    'add one',
  ],
  [
    'a removed header that routes ask for',
    bootstrapOf({
      match: 'prefix: /, headers: [{ name: x-version, present_match: true }]',
      filters:
        '- { name: f, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config, request_rules: [{ header: X-Version, on_header_present: { key: v }, remove: true }] } }',
    }),
    /request_rules\[0\]: routes are sought by "X-Version", which is removed/,
    /request_headers_to_remove/,
  ],
  [
    'metadata that an access log reads',
    bootstrapOf({
      route: 'request_headers_to_add: [{ header: { key: x-a, value: "%DYNAMIC_METADATA(envoy.lb:v)%" } }]',
    }),
    /header\.value: .*DYNAMIC_METADATA/,
    undefined,
  ],
  [
    'a Unix socket of HTTP/1',
    bootstrapOf({
      clusters:
        '- { name: web, load_assignment: { endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: /run/web.sock } } } }] }] } }',
    }),
    /address\.pipe: a Unix socket is spoken to by HTTP\/2 alone/,
    /http2_protocol_options/,
  ],
  [
    'an abstract Unix socket',
    bootstrapOf({ endpoints: '- { lb_endpoints: [{ endpoint: { address: { pipe: { path: "@abstract" } } } }] }' }),
    /address\.pipe: it has no path to a file/,
    /pipe: \{ path:/,
  ],
  [
    'two spellings of one key',
    bootstrapOf({ cluster: '"connectTimeout": 1s\n    connect_timeout: 2s' }),
    'static_resources.clusters[0].connect_timeout: the key is given twice, in two spellings',
    undefined,
  ],
];

for (const [name, text, message, hint] of wrong) {
  void t.test(name, (t) => {
    const { errors } = translate(text);
    const [problem] = errors;
    t.equal(errors.length, 1, JSON.stringify(errors));
    t.match(problem?.message, message);
    if (hint === undefined) t.equal(problem?.hint, undefined);
    else t.match(problem?.hint, hint);
    t.match(problem?.place, { file: 'envoy.yaml', line: Number, column: Number });
    t.end();
  });
}

void t.test('--envoy-lenient makes warnings of what cannot be honoured, and no more', (t) => {
  const refused = translate(bootstrapOf({ manager: 'tracing: {}' }), true);
  t.same([refused.errors.length, refused.warnings.length], [0, 2]);
  t.same(refused.config, translate(good).config);
  t.same(translate(bootstrapOf({ cluster: 'connect_timeout: 5' }), true).errors.length, 1);
  t.end();
});

void t.test('the default of Envoy may be written', (t) => {
  t.strictSame(
    translate(bootstrapOf({ manager: 'use_remote_address: true\n          xff_num_trusted_hops: 0' })).errors,
    [],
  );
  t.equal(translate(bootstrapOf({ manager: 'xff_num_trusted_hops: 1' })).errors.length, 1);
  t.end();
});

void t.test('times are whole milliseconds', (t) => {
  const times: readonly [text: string, time: string][] = [
    ['0s', 'none'],
    ['0.25s', '250ms'],
    ['1.001s', '1001ms'],
    ['0.0015s', '1ms'],
    ['1.9999999s', '1999ms'],
    ['2147483s', '2147483s'],
  ];
  for (const [text, time] of times) {
    const { config, errors } = translate(bootstrapOf({ action: `timeout: ${text}` }));
    t.match(
      [errors, config['listeners']],
      [[], [{ virtual_hosts: [{ routes: [{ route: { timeout: time } }] }] }]],
      text,
    );
  }
  const lenient = translate(bootstrapOf({ action: 'timeout: 31536000s' }), true);
  t.match(lenient.config['listeners'], [{ virtual_hosts: [{ routes: [{ route: { timeout: '2147483647ms' } }] }] }]);
  t.end();
});

void t.test('max_stream_duration, and what a client may ask for instead', (t) => {
  const cases: readonly [text: string, route: Plain][] = [
    ['max_stream_duration: 5s', { timeout: '5s' }],
    ['max_stream_duration: 5s, grpc_timeout_header_max: 9s', { timeout: '5s', max_grpc_timeout: '9s' }],
    ['max_stream_duration: 5s, grpc_timeout_header_max: 0s', { timeout: '5s', max_grpc_timeout: 'none' }],
    ['grpc_timeout_header_max: 9s', { timeout: 'none', max_grpc_timeout: '9s' }],
    ['max_stream_duration: 0s', { timeout: 'none' }],
  ];
  for (const [text, route] of cases) {
    const { config } = translate(bootstrapOf({ action: `timeout: 1s, max_stream_duration: { ${text} }` }));
    const [listener] = config['listeners'] as { virtual_hosts: { routes: { route: object }[] }[] }[];
    t.same(listener?.virtual_hosts[0]?.routes[0]?.route, { cluster: 'grpc', ...(route as object) }, text);
  }
  t.end();
});

void t.test('each virtual host and each route has its CORS policy', (t) => {
  const { config, errors } = translate(
    bootstrapOf({
      filters: corsFilter,
      hosts: `- name: a
              domains: [a.test]
              ${corsPolicy('https://a.test', ', max_age: "0"')}
              routes:
              - { match: { prefix: /open }, route: { cluster: grpc }, ${corsPolicy('*')} }
              - { match: { prefix: /closed }, route: { cluster: grpc }, ${corsPolicy('https://a.test', ', filter_enabled: { default_value: { numerator: 0 } }')} }
              - { match: { prefix: / }, route: { cluster: grpc } }
            - name: b
              domains: [b.test]
              routes: [{ match: { prefix: / }, route: { cluster: grpc } }]`,
    }),
  );
  t.strictSame(errors, []);
  const [listener] = config['listeners'] as {
    policies?: object;
    virtual_hosts: { cors?: object; routes: object[] }[];
  }[];
  t.equal(listener?.policies, undefined);
  const [a, b] = listener!.virtual_hosts;
  t.same(a?.cors, { origins: ['https://a.test'], max_age: '0s' });
  t.match(a?.routes, [{ cors: { origins: ['*'] } }, { cors: false }, { cors: undefined }]);
  t.equal(b?.cors, undefined);
  t.end();
});

void t.test('what only our own reader finds wrong has its place, too', (t) => {
  const text = bootstrapOf({ hosts: '- { name: a, domains: ["a b"], routes: [] }' });
  const load = (): unknown => loadConfig({ envoy: { sources: [{ name: 'envoy.yaml', text }], lenient: false } });
  t.throws(load, ConfigError);
  try {
    load();
  } catch (error) {
    const { problems } = error as ConfigError;
    t.match(problems, [
      {
        message: /^static_resources\.listeners\[0\]\..*virtual_hosts\[0\]: found "a b", expected a host/,
        place: { file: 'envoy.yaml', line: Number, column: Number },
      },
    ]);
    t.equal(problems.length, 1);
  }
  t.end();
});

/** Names that every object has, and that no file means. */
const inherited = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];

type Tree = string | number | boolean | null | readonly Tree[] | { readonly [name: string]: Tree };

/** The tree with a further member in one of its maps, or with another text: all of them, one after the other. */
function* changed(tree: Tree, name: string): Generator<Tree> {
  if (typeof tree === 'string') yield name;
  else if (Array.isArray(tree)) {
    for (const [index, item] of (tree as readonly Tree[]).entries()) {
      for (const other of changed(item, name)) yield (tree as readonly Tree[]).with(index, other);
    }
  } else if (typeof tree === 'object' && tree !== null) {
    const members = Object.entries(tree);
    yield Object.fromEntries([...members, [name, 'x']]);
    for (const [index, [key, value]] of members.entries()) {
      for (const other of changed(value, name)) yield Object.fromEntries(members.with(index, [key, other]));
    }
  }
}

void t.test('names that every object has are ordinary names', (t) => {
  const text = bootstrapOf({
    filters: corsFilter,
    manager:
      'access_log: [{ typed_config: { "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog } }]',
    route: `request_headers_to_add: [{ header: { key: x-a, value: "%REQ(x-b)%" } }]\n                ${corsPolicy('https://a.test')}`,
    match: 'prefix: /, headers: [{ name: x-a, string_match: { exact: a } }]',
  });
  let count = 0;
  for (const name of inherited) {
    for (const tree of changed(parse(text) as Tree, name)) {
      const sources = [{ name: 'envoy.json', text: JSON.stringify(tree) }];
      count++;
      try {
        loadConfig({ envoy: { sources, lenient: false } });
      } catch (error) {
        if (!(error instanceof ConfigError)) t.fail(`${name}: ${JSON.stringify(tree)}`, { error });
      }
    }
  }
  t.ok(count > 250, `${count} bootstraps`);
  for (const name of inherited) {
    const { errors } = translate(bootstrapOf({ listener: `${name}: x` }));
    t.match(errors, [{ message: `static_resources.listeners[0].${name}: this key is not known here` }]);
    const typed = translate(
      good
        .replace('.router.v3.Router', `.${name}`)
        .replace(/envoy\.extensions\.filters\.http\.(?=(?:constructor|__proto__|toString|hasOwn))/, ''),
    );
    t.match(typed.errors, [{ message: /is not known here/ }], name);
  }
  t.end();
});

void t.test('admin', (t) => {
  const admin = (more: string): Translated =>
    translate(`${good}admin: { address: { socket_address: { address: 0.0.0.0, port_value: 9901 } }${more} }\n`);
  const { errors, warnings, config } = admin('');
  t.match([errors, warnings.length], [[], 1]);
  t.match(config, { admin: '0.0.0.0:9901', admin_envoy: true });
  t.equal(admin(', access_log_path: /dev/null').warnings.length, 1);
  t.match(admin(', access_log_path: /tmp/a').warnings, [
    { message: 'admin.access_log_path: it has no effect here' },
    {},
  ]);
  t.match(admin(', allow_paths: [{ exact: /ready }]').errors, [
    { message: 'admin.allow_paths: it cannot be honoured here' },
  ]);
  const none = translate(`${good}admin: { profile_path: /tmp/p }\n`);
  t.equal(none.config['admin'], undefined, 'without an address there is none');
  t.end();
});

void t.test('access logs', (t) => {
  const log = (type: string, more = ''): string =>
    `access_log: [{ typed_config: { "@type": type.googleapis.com/envoy.extensions.access_loggers.${type}${more} } }]`;
  const options = (type: string, more = ''): unknown[] => {
    const { errors, config } = translate(bootstrapOf({ manager: log(type, more) }));
    const { access_log: form, access_log_file: file, access_log_format: format, access_log_omit_empty: omit } = config;
    return [errors.map(({ message }) => message.replace(/^.*access_log\[0\]\.?/, '')), form, file, format, omit];
  };
  const [FILE, OUT, ERR] = ['file.v3.FileAccessLog', 'stream.v3.StdoutAccessLog', 'stream.v3.StderrAccessLog'] as const;
  const usual = /^\[%START_TIME%\] "%REQ\(:METHOD\)% .*\n$/;
  t.match(options(OUT), [[], 'text', '/dev/stdout', usual, undefined]);
  t.match(options(ERR), [[], 'text', undefined, usual]);
  t.match(options(FILE, ', path: /var/log/a'), [[], 'text', '/var/log/a', usual]);
  t.same(
    options(OUT, ', log_format: { text_format_source: { inline_string: "%DURATION%\\n" }, omit_empty_values: true }'),
    [[], ...['text', '/dev/stdout', '%DURATION%\n', true]],
  );
  t.same(options(FILE, ', path: /a, format: "%REQ(x)%\\n"').slice(3), ['%REQ(x)%\n', undefined]);
  const json = '{ code: "%RESPONSE_CODE%", in: { list: ["%REQ(:PATH)%", 1, true] } }';
  const form = { code: '%RESPONSE_CODE%', in: { list: ['%REQ(:PATH)%', 1, true] } };
  t.same(options(OUT, `, log_format: { json_format: ${json} }`), [[], 'json', '/dev/stdout', form, undefined]);
  t.same(options(FILE, `, path: /a, typed_json_format: ${json}`)[3], form);
  const wrongs: readonly [more: string, message: RegExp][] = [
    [', log_format: {}', /log_format: it has 0 formats/],
    [', log_format: { text_format: "%NOPE%" }', /log_format\.text_format: %NOPE% is not known/],
    [', log_format: { text_format: "%CEL(x)%" }', /%CEL\(x\)% is not known/],
    [', log_format: { text_format: "%START_TIME(%Q)%" }', /%START_TIME\(%Q\)% has %Q, which is not known/],
    [
      ', log_format: { json_format: { a: { b: ["%constructor%"] } } }',
      /json_format\."a"\."b"\[0\]: %constructor% is not known/,
    ],
    [', log_format: { json_format: { a: "50%" } }', /"50%" has a single %/],
    [', log_format: { text_format_source: { environment_variable: NOPE } }', /the environment has no variable "NOPE"/],
  ];
  for (const [more, message] of wrongs) t.match(options(OUT, more)[0], [message], more);
  const old = options(FILE, ', path: /a, json_format: { a: b }');
  t.match(old[0], [/typed_config\.json_format: it cannot be honoured here/]);
  const filtered = (filter: string): ReturnType<typeof translate> =>
    translate(bootstrapOf({ manager: log(OUT).replace('{ typed_config', `{ filter: ${filter}, typed_config`) }));
  const { errors, warnings } = filtered('{ not_health_check_filter: {} }');
  t.same(errors, []);
  t.match(warnings, [{ message: /\.filter\.not_health_check_filter: it has no effect/, hint: /is logged, too/ }]);
  for (const filter of ['{ duration_filter: {} }', '{ and_filter: { filters: [{ not_health_check_filter: {} }] } }']) {
    t.match(
      filtered(filter).errors,
      [{ message: /\.filter\.\w+: .*all requests are logged|cannot be honoured/ }],
      filter,
    );
  }
  const two = `access_log: [${['/a', '/b'].map((path) => log(FILE, `, path: ${path}`).slice('access_log: ['.length, -1)).join(', ')}]`;
  t.match(translate(bootstrapOf({ manager: two })).errors, [{ message: /access_log\[1\]: requests are logged once/ }]);
  t.end();
});

void t.test('texts of files and variables', (t) => {
  const problems = new ProblemList();
  const text = bootstrapOf({
    hosts: `- name: a
              domains: ["*"]
              routes: [{ match: { prefix: / }, direct_response: { status: 200, body: { environment_variable: BODY } } }]`,
  });
  const sources = [{ name: 'envoy.yaml', text }];
  const { settings } = translateBootstrap(sources, { lenient: false, problems, environment: { BODY: 'from there' } });
  t.match(settings['listeners'], [{ virtual_hosts: [{ routes: [{ direct_response: { body: 'from there' } }] }] }]);
  t.strictSame(problems.errors, []);
  t.end();
});

void t.test('filters that cannot be honoured in part', (t) => {
  const compressor = (more: string): string =>
    `- { name: c, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor, compressor_library: { name: x, typed_config: { "@type": type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip, compression_level: BEST_SPEED } }${more} } }`;
  const cases: [parts: Parameters<typeof bootstrapOf>[0], message: RegExp | undefined][] = [
    [{ filters: compressor('') }, undefined],
    [{ filters: compressor(', request_direction_config: {}') }, /request_direction_config: it cannot be honoured here/],
    [
      { filters: `${compressor('')}\n          ${compressor(', content_length: 5')}` },
      /http_filters\[1\].*: all compressors of a listener encode the same answers here/,
    ],
    [
      { manager: 'local_reply_config: { mappers: [{ filter: { response_flag_filter: {} } }] }' },
      /mappers\[0\]\.filter\.response_flag_filter: it cannot be honoured here/,
    ],
    [
      { manager: 'local_reply_config: { body_format: { text_format: "%NOPE%" } }' },
      /local_reply_config\.body_format\.text_format: %NOPE% is not known/,
    ],
    [
      {
        manager:
          'local_reply_config: { mappers: [{ filter: { status_code_filter: { comparison: { op: EQ, value: { default_value: 404 } } } }, status_code: 700 }] }',
      },
      /local_reply_config\.mappers\[0\]: .*found "700", expected a whole number from 200 to 599/,
    ],
  ];
  const rbac = (principal: string, more = ''): string =>
    `- { name: r, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC, rules: { policies: { p: { permissions: [{ any: true }], principals: [${principal}] } } }${more} } }`;
  const remote = '{ or_ids: { ids: [{ remote_ip: { address_prefix: 10.0.0.0, prefix_len: 8 } }] } }';
  cases.push(
    [{ filters: rbac(remote) }, /remote_ip: without use_remote_address clients say themselves where they come from/],
    [{ filters: rbac(remote), manager: 'use_remote_address: true' }, undefined],
    [{ filters: rbac('{ any: true }', ', matcher: {}') }, /typed_config\.matcher: it cannot be honoured here/],
    [{ filters: rbac('{ not_id: { metadata: {} } }') }, /not_id\.metadata: it cannot be honoured here/],
    [{ filters: rbac('{ not_id: { constructor: {} } }') }, /not_id\.constructor: this key is not known here/],
    [{ filters: rbac('{ any: true, header: { name: a } }') }, /principals\[0\]: it has 2 conditions, expected one/],
    [
      { filters: rbac('{ direct_remote_ip: { address_prefix: 10.0.0.0, prefix_len: 99 } }') },
      /principals\[0\]: .*expected addresses and blocks of them/,
    ],
  );
  for (const [parts, message] of cases) {
    const sources = [{ name: 'envoy.yaml', text: bootstrapOf(parts) }];
    const load = (): unknown => loadConfig({ envoy: { sources, lenient: false } });
    if (message === undefined) t.doesNotThrow(load);
    else t.throws(load, { message });
  }
  t.end();
});

void t.test('a filter behind the transcoder would see the call', (t) => {
  const router = '- name: envoy.filters.http.router';
  const rbac = `- { name: r, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC, rules: {} } }`;
  const { errors } = translate(good.replace(router, `${rbac}\n          ${router}`));
  t.match(errors, [{ message: /filters see requests as they came/, hint: 'write it before the transcoder' }]);
  t.end();
});

void t.test('retry_policy', (t) => {
  const read = (policy: string): ReturnType<typeof translate> =>
    translate(bootstrapOf({ action: `retry_policy: ${policy}` }));
  const retriesOf = (policy: string): unknown => {
    const { config, errors } = read(policy);
    t.same(errors, [], policy);
    const [listener] = (config as { listeners: { virtual_hosts: { routes: { route: { retries: unknown } }[] }[] }[] })
      .listeners;
    return listener?.virtual_hosts[0]?.routes[0]?.route.retries;
  };
  t.match(retriesOf('{ retry_on: "unavailable,5xx", num_retries: 2, per_try_timeout: 0.5s }'), {
    attempts: 3,
    codes: ['UNAVAILABLE'],
    failures: ['unconnected', 'refused', 'reset', 'timeout'],
    http_statuses: ['5xx'],
    idempotent: true,
    per_try_timeout: '500ms',
    initial_backoff: '25ms',
    max_backoff: '250ms',
    budget: false,
  });
  t.match(retriesOf('{ retry_on: "connect-failure, retriable-status-codes", retriable_status_codes: [503] }'), {
    attempts: 2,
    codes: [],
    failures: ['unconnected'],
    http_statuses: [503],
  });
  t.equal(retriesOf('{ num_retries: 3 }'), false, 'without a condition nothing is sent again');
  t.equal(retriesOf('{ retry_on: reset, num_retries: 0 }'), false);
  for (const [policy, message] of [
    ['{ retry_on: "reset,envoy-ratelimited" }', '"envoy-ratelimited" in retry_on'],
    ['{ retry_on: reset, retriable_headers: [{ name: x }] }', 'retriable_headers'],
    ['{ retry_on: reset, num_retries: 1000 }', '1000 retries are too many'],
    ['{ retry_on: reset, retry_back_off: { base_interval: 2s, max_interval: 1s } }', 'max_interval is less'],
  ] as const) {
    t.ok(
      read(policy).errors.some((error) => error.message.includes(message)),
      policy,
    );
  }
  t.end();
});

void t.test('transcoders of routes are named, each once', (t) => {
  const type = 'type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder';
  const own = (more: string): string =>
    `typed_per_filter_config: { envoy.filters.http.grpc_json_transcoder: { "@type": ${type}, proto_descriptor: other.pb, services: [o.v1.Other]${more} } }`;
  const off =
    'typed_per_filter_config: { envoy.filters.http.grpc_json_transcoder: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true } }';
  const members = [own(''), own(', auto_mapping: true'), own(''), off, ''];
  const routes = members.map((member, index) => `{ match: { path: /${index} }, route: { cluster: grpc }, ${member} }`);
  const { config, errors } = translate(
    bootstrapOf({ hosts: `- { name: a, domains: ["*"], routes: [${routes.join(', ')}] }` }),
  );
  t.same(errors, []);
  const [listener] = config['listeners'] as {
    transcoders: Record<string, { services: string[]; auto_mapping: boolean }>;
    virtual_hosts: { routes: { transcoder?: string | false }[] }[];
  }[];
  t.match(config['descriptor_set'], ['echo.pb', 'other.pb']);
  t.same(
    listener!.virtual_hosts[0]!.routes.map(({ transcoder }) => transcoder),
    ['o.v1.Other', 'o.v1.Other 2', 'o.v1.Other', false, undefined],
  );
  t.match(listener!.transcoders, {
    'o.v1.Other': { services: ['o.v1.Other'], auto_mapping: false },
    'o.v1.Other 2': { services: ['o.v1.Other'], auto_mapping: true },
  });
  t.end();
});

void t.test("limits of clusters are Envoy's, whether or not the file names any", (t) => {
  const usual = { max_calls: 1024, max_pending_calls: 1024, max_retries: 3, header: 'x-envoy-overloaded' };
  const cases: readonly (readonly [cluster: string, limits: object])[] = [
    ['', usual],
    ['circuit_breakers: {}', usual],
    ['circuit_breakers: { thresholds: [{ priority: HIGH, max_requests: 5 }] }', usual],
    [
      'circuit_breakers: { thresholds: [{ max_requests: 5, max_retries: 0 }] }',
      { ...usual, max_calls: 5, max_retries: 0 },
    ],
  ];
  for (const [cluster, limits] of cases) {
    const { config, errors } = translate(bootstrapOf({ cluster }));
    t.same(errors, []);
    t.same((config['clusters'] as { grpc: { circuit_breaker: object } }).grpc.circuit_breaker, limits, cluster);
  }
  t.end();
});

void t.test('MAGLEV keeps keys on a ring', (t) => {
  const { config, errors } = translate(
    bootstrapOf({
      cluster: 'lb_policy: MAGLEV\n    maglev_lb_config: { table_size: 65537 }',
      action: 'hash_policy: [{ header: { header_name: x-user } }]',
    }),
  );
  t.same(errors, []);
  t.match(config['clusters'], { grpc: { load_balancing_policy: 'ring_hash' } });
  t.end();
});

void t.test('keys of files that must start, as those for the edge of a network have them', (t) => {
  const { config, errors, warnings } = translate(
    bootstrapOf({
      manager:
        'request_timeout: 300s\n          common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }',
      action: 'idle_timeout: 15s',
      cluster:
        'transport_socket: { name: tls, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: a.test } }',
    }),
  );
  t.same(errors, []);
  t.match(config['listeners'], [{ refuse_underscores: true }]);
  t.match(config['clusters'], { grpc: { tls: { authority: 'a.test' } } });
  const texts = warnings.map(({ message }) => message).join('\n');
  for (const text of [
    'request_timeout: it has no effect',
    'route.idle_timeout: it has no effect',
    'names no authority',
  ])
    t.match(texts, text);
  t.end();
});
