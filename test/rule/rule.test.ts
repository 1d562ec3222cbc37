import t from 'tap';
import { bindingsOf, fieldPathText, selectorMatches, selectServices, type Binding } from '../../lib/rule/index.js';
import { ProblemList, type Problem } from '../../lib/status.js';
import { loadText, schemaFromText } from '../support/schema.js';

const messages = `
message Request {
  string name = 1;
  int64 id = 2;
  bytes raw = 3;
  Kind kind = 4;
  repeated string tags = 5;
  map<string, string> labels = 6;
  Shelf shelf = 7;
  repeated Shelf shelves = 8;
  google.protobuf.Timestamp at = 9;
  google.protobuf.StringValue note = 10;
  google.protobuf.Struct extra = 11;
  google.protobuf.Any any = 12;
  google.protobuf.Empty nothing = 13;
  google.protobuf.FieldMask update_mask = 14;
  google.protobuf.Duration ttl = 15;
  google.protobuf.Value value = 16;
  oneof owner { string user = 17; string team = 18; Shelf holder = 19; }
  optional string maybe = 20;
  string display_name = 21 [json_name = "title"];
}
message Shelf { string name = 1; string theme = 2; Shelf inner = 3; oneof size { int32 small = 4; int32 large = 5; } }
message Response { Shelf shelf = 1; repeated Shelf shelves = 2; string uri = 3; int64 revision = 4; map<string, Shelf> by_name = 5; }
enum Kind { NONE = 0; }
`;

const imports = [
  'google/api/annotations',
  'photongate/http',
  ...['any', 'duration', 'empty', 'field_mask', 'struct', 'timestamp', 'wrappers'].map(
    (name) => `google/protobuf/${name}`,
  ),
]
  .map((name) => `import "${name}.proto";`)
  .join('\n');

/** A service S with one method M whose options are the given text; the options start on line 3 of its body. */
function protoOf(options: string, signature = 'rpc M(Request) returns (Response)'): string {
  return `syntax = "proto3";\npackage p;\n${imports}\n${messages}\nservice S {\n  ${signature} {\n${options}\n  }\n}\n`;
}

const optionLine =
  protoOf('')
    .split('\n')
    .findIndex((line) => line.includes('rpc M')) + 2;

interface Outcome {
  readonly bindings: readonly Binding[];
  readonly problems: ProblemList;
}

function load(options: string, signature?: string): Outcome {
  const problems = new ProblemList();
  const bindings = bindingsOf(schemaFromText(protoOf(options, signature)).services, problems);
  return { bindings, problems };
}

function rule(text: string): string {
  return `option (google.api.http) = { ${text} };`;
}

/** What a test compares of a binding. */
function summaryOf({ httpMethod, template, variables, body, responseBody, index }: Binding): string {
  const bound = variables.map(({ fieldPath, multi }) => fieldPathText(fieldPath) + (multi ? '*' : '')).join(',');
  const bodyText = body.kind === 'field' ? fieldPathText(body.path) : body.kind;
  const response = responseBody === undefined ? '' : ` -> ${fieldPathText(responseBody)}`;
  return `${index} ${httpMethod} ${template.source} [${bound}] ${bodyText}${response}`;
}

void t.test('rules and what they bind', (t) => {
  const cases: readonly (readonly [string, ...string[]])[] = [
    ['get: "/v1/{name}"', '0 GET /v1/{name} [name] none'],
    ['put: "/v1/{id}" body: "*"', '0 PUT /v1/{id} [id] all'],
    ['post: "/v1/shelves" body: "shelf"', '0 POST /v1/shelves [] shelf'],
    [
      'delete: "/v1/{shelf.inner.name=shelves/*}" body: "*"',
      '0 DELETE /v1/{shelf.inner.name=shelves/*} [shelf.inner.name*] all',
    ],
    ['patch: "/v1/{shelf.name=shelves/*}" body: "shelf"', '0 PATCH /v1/{shelf.name=shelves/*} [shelf.name*] shelf'],
    [
      'get: "/v1/{shelf.inner.name}" body: "shelf.inner"',
      '0 GET /v1/{shelf.inner.name} [shelf.inner.name] shelf.inner',
    ],
    ['custom { kind: "HEAD" path: "/v1" }', '0 HEAD /v1 [] none'],
    ['custom: { kind: "*", path: "/v1/{raw}" }', '0 * /v1/{raw} [raw] none'],
    ['get: "/" response_body: "shelves"', '0 GET / [] none -> shelves'],
    ['get: "/" response_body: "shelf.inner.theme"', '0 GET / [] none -> shelf.inner.theme'],
    ['get: "/" response_body: "by_name"', '0 GET / [] none -> by_name'],
    ['post: "/" body: "tags"', '0 POST / [] tags'],
    ['post: "/" body: "labels"', '0 POST / [] labels'],
    ['post: "/" body: "extra"', '0 POST / [] extra'],
    ['post: "/" body: "" response_body: ""', '0 POST / [] none'],
    [
      'get: "/{at}/{note}/{update_mask}/{ttl}/{kind}"',
      '0 GET /{at}/{note}/{update_mask}/{ttl}/{kind} [at,note,update_mask,ttl,kind] none',
    ],
    [
      'get: "/{updateMask}/{title}/{maybe}"',
      '0 GET /{updateMask}/{title}/{maybe} [update_mask,display_name,maybe] none',
    ],
    ['get: "/{shelf.small}/{user}"', '0 GET /{shelf.small}/{user} [shelf.small,user] none'],
    ['get: "/{at.seconds}"', '0 GET /{at.seconds} [at.seconds] none'],
    ['post: "/{holder.name}" body: "holder"', '0 POST /{holder.name} [holder.name] holder'],
    [
      'get: "/a" additional_bindings { post: "/a" body: "*" } additional_bindings: [{ get: "/b" }, { get: "/c" }]',
      '0 GET /a [] none',
      '1 POST /a [] all',
      '2 GET /b [] none',
      '3 GET /c [] none',
    ],
    ['selector: "p.S.M" get: "/a"', '0 GET /a [] none'],
  ];
  for (const [text, ...expected] of cases) {
    const { bindings, problems } = load(rule(text));
    t.strictSame(bindings.map(summaryOf), expected, text);
    t.strictSame([...problems.errors, ...problems.warnings], [], text);
  }
  t.end();
});

void t.test('options set by dotted names', (t) => {
  const { bindings, problems } = load(`option (google.api.http).custom.kind = "PURGE";
    option (google.api.http).custom.path = "/a";
    option (google.api.http).body = "*";`);
  t.strictSame(bindings.map(summaryOf), ['0 PURGE /a [] all']);
  t.strictSame(problems.errors, []);
  t.end();
});

/** `[code, message, hint, offset in the template]` */
type Expected = readonly [code: string, message: string, hint?: string | undefined, offset?: number];

const bindText = 'bind a scalar, an enum or a well-known type with a string form, such as google.protobuf.Timestamp';

const errorCases: readonly (readonly [text: string, ...Expected[]])[] = [
  ['get: "v1"', ['template-syntax', '"v1" does not start with a slash', 'write "/v1"', 0]],
  ['get: ""', ['template-syntax', 'the template is empty', 'a template starts with a slash: /v1/shelves/{shelf}', 0]],
  [
    'body: "*"',
    [
      'http-rule-no-pattern',
      'a rule has no pattern, expected one of get, put, post, delete, patch, custom',
      'write for example get: "/v1/shelves/{shelf}"',
    ],
  ],
  [
    'get: "/a" post: "/b"',
    [
      'http-rule-two-patterns',
      'a rule has two patterns, GET "/a" and POST "/b", expected one',
      'put the second into additional_bindings: additional_bindings { … }',
    ],
  ],
  [
    'custom { kind: "PURGE" path: "/a" } delete: "/b"',
    [
      'http-rule-two-patterns',
      'a rule has two patterns, DELETE "/b" and PURGE "/a", expected one',
      'put the second into additional_bindings: additional_bindings { … }',
    ],
  ],
  ['get: "/a" get: "/b"', ['option-duplicate', 'get of google.api.HttpRule is set twice', 'set it once']],
  ['get: "/a" body: "*" body: "*"', ['option-duplicate', 'body of google.api.HttpRule is set twice', 'set it once']],
  ['get: "/a" bdoy: "*"', ['option-unknown', 'google.api.HttpRule has no member "bdoy"', 'did you mean body?']],
  [
    'get: "/a" responseBody: "uri"',
    ['option-unknown', 'google.api.HttpRule has no member "responseBody"', 'did you mean response_body?'],
  ],
  [
    'get: "/a" [x.y]: 1',
    [
      'option-unknown',
      'google.api.HttpRule has no member "[x.y]"',
      'its members are selector, get, put, post, delete, patch, custom, body, response_body, additional_bindings',
    ],
  ],
  ['get: 1', ['option-type', 'get of google.api.HttpRule is the number 1, expected a string']],
  ['get: GET', ['option-type', 'get of google.api.HttpRule is the name "GET", expected a string']],
  ['get { path: "/a" }', ['option-type', 'get of google.api.HttpRule is a message, expected a string']],
  ['get: "/a" body: true', ['option-type', 'body of google.api.HttpRule is true, expected a string']],
  ['custom: "/a"', ['option-type', 'custom of google.api.HttpRule is the string "/a", expected a message: { … }']],
  [
    'get: "/a" additional_bindings: "/b"',
    ['option-type', 'additional_bindings of google.api.HttpRule is the string "/b", expected a message: { … }'],
  ],
  [
    'custom { kind: "PURGE" }',
    [
      'http-rule-custom',
      'a custom pattern has no path, expected kind and path',
      'write custom { kind: "HEAD" path: "/v1/shelves" }',
    ],
  ],
  [
    'custom { path: "/a" knid: "X" }',
    ['option-unknown', 'google.api.CustomHttpPattern has no member "knid"', 'did you mean kind?'],
    [
      'http-rule-custom',
      'a custom pattern has no kind, expected kind and path',
      'write custom { kind: "HEAD" path: "/v1/shelves" }',
    ],
  ],
  ...['CONNECT', '', 'A B', 'GET,POST', 'GÉT', '**;'].map(
    (kind) =>
      [
        `custom { kind: "${kind}" path: "/a" }`,
        [
          'http-rule-custom',
          `the kind "${kind}" is not a method that a rule can take`,
          'write the name of an HTTP method other than CONNECT, or "*" for every method',
        ],
      ] as const,
  ),
  [
    'get: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } }',
    [
      'http-rule-nested',
      'additional_bindings stands inside additional_bindings, expected one level',
      'put all additional bindings side by side into the outer rule',
    ],
  ],
  ['get: "/{nmae}"', ['unknown-field', 'p.Request has no field "nmae"', 'did you mean name?', 1]],
  [
    'get: "/a/{shelf.nmae}"',
    ['unknown-field', 'p.Shelf has no field "nmae" (in "shelf.nmae")', 'did you mean name?', 3],
  ],
  [
    'get: "/{__proto__}"',
    [
      'unknown-field',
      'p.Request has no field "__proto__"',
      'its fields are name, id, raw, kind, tags, labels, shelf, shelves, at, note, …',
      1,
    ],
  ],
  [
    'get: "/{nothing.x}"',
    [
      'unknown-field',
      'google.protobuf.Empty has no field "x" (in "nothing.x")',
      'google.protobuf.Empty has no fields',
      1,
    ],
  ],
  [
    'get: "/{name.x}"',
    [
      'field-path-step',
      '"name.x" continues after "name" of type string, expected a single message there',
      'end the path at "name", or name a field of another message',
      1,
    ],
  ],
  [
    `get: "/{shelf${'.name'.repeat(100)}}"`,
    [
      'field-path-depth',
      `"shelf${'.name'.repeat(100)}"`.slice(0, 81) + '…" is a path of more than 100 fields',
      'no gRPC server reads messages that are nested deeper',
      1,
    ],
  ],
  [
    'get: "/{shelves.name}"',
    [
      'field-path-step',
      '"shelves.name" continues after the repeated field "shelves", expected a single message there',
      'end the path at "shelves", or name a field of another message',
      1,
    ],
  ],
  [
    'get: "/{labels.key}"',
    [
      'field-path-step',
      '"labels.key" continues after the map "labels", expected a single message there',
      'end the path at "labels", or name a field of another message',
      1,
    ],
  ],
  [
    'get: "/{tags}"',
    [
      'path-field-type',
      'the variable {tags} binds the repeated field "tags", which cannot be written in a path',
      bindText,
      1,
    ],
  ],
  [
    'get: "/{labels}"',
    ['path-field-type', 'the variable {labels} binds the map "labels", which cannot be written in a path', bindText, 1],
  ],
  ...[
    ['shelf', 'p.Shelf'],
    ['extra', 'google.protobuf.Struct'],
    ['value', 'google.protobuf.Value'],
    ['any', 'google.protobuf.Any'],
    ['nothing', 'google.protobuf.Empty'],
  ].map(
    ([name, type]) =>
      [
        `get: "/{${name}}"`,
        [
          'path-field-type',
          `the variable {${name}} binds "${name}" of type ${type}, which cannot be written in a path`,
          bindText,
          1,
        ],
      ] as const,
  ),
  [
    'get: "/{updateMask}/{update_mask}"',
    [
      'field-bound-twice',
      'the variable {update_mask} binds "update_mask", and the variable {updateMask} binds "update_mask": each field is bound once',
      'bind another field, or use * without a name for the second',
      14,
    ],
  ],
  [
    'get: "/{at}/{at.seconds}"',
    [
      'field-bound-twice',
      'the variable {at.seconds} binds "at.seconds", and the variable {at} binds "at": each field is bound once',
      'bind another field, or use * without a name for the second',
      6,
    ],
  ],
  [
    'get: "/{user}/{team}"',
    [
      'oneof-bound-twice',
      'the variable {team} and the variable {user} set two members of the oneof "owner", of which only one can be set',
      'bind one of them here, and the other in an additional binding',
      8,
    ],
  ],
  [
    'get: "/{shelf.small}/{shelf.large}"',
    [
      'oneof-bound-twice',
      'the variable {shelf.large} and the variable {shelf.small} set two members of the oneof "size", of which only one can be set',
      'bind one of them here, and the other in an additional binding',
      15,
    ],
  ],
  [
    'post: "/{user}" body: "holder"',
    [
      'oneof-bound-twice',
      'the variable {user} and the body "holder" set two members of the oneof "owner", of which only one can be set',
      'bind one of them here, and the other in an additional binding',
      1,
    ],
  ],
  ['post: "/" body: "shlef"', ['unknown-field', 'body: p.Request has no field "shlef"', 'did you mean shelf?']],
  [
    'post: "/" body: "shelf.**"',
    [
      'unknown-field',
      'body: p.Shelf has no field "**" (in "shelf.**")',
      'its fields are name, theme, inner, small, large',
    ],
  ],
  [
    'post: "/" body: "shelves.name"',
    [
      'field-path-step',
      'body: "shelves.name" continues after the repeated field "shelves", expected a single message there',
      'end the path at "shelves", or name a field of another message',
    ],
  ],
  [
    'get: "/" response_body: "name"',
    [
      'unknown-field',
      'response_body: p.Response has no field "name"',
      'its fields are shelf, shelves, uri, revision, by_name',
    ],
  ],
  [
    'get: "/" response_body: "*"',
    [
      'response-body-star',
      'response_body is "*", expected a field of the response',
      'leave response_body out: then the body is the whole response',
    ],
  ],
  [
    'post: "/{name}" body: "name"',
    [
      'body-field-bound',
      'the variable {name} binds "name", which the body "name" sets as well',
      'name another body field, or write body: "*" for all fields that the path does not bind',
      1,
    ],
  ],
  [
    'post: "/a/{at}" body: "at.seconds"',
    [
      'body-field-bound',
      'the variable {at} binds "at", which the body "at.seconds" sets as well',
      'name another body field, or write body: "*" for all fields that the path does not bind',
      3,
    ],
  ],
  [
    'get: "/{a}" additional_bindings { get: "b" } additional_bindings { body: "x" }',
    ['template-syntax', '"b" does not start with a slash', 'write "/b"', 0],
    [
      'http-rule-no-pattern',
      'a rule has no pattern, expected one of get, put, post, delete, patch, custom',
      'write for example get: "/v1/shelves/{shelf}"',
    ],
    [
      'unknown-field',
      'p.Request has no field "a"',
      'its fields are name, id, raw, kind, tags, labels, shelf, shelves, at, note, …',
      1,
    ],
  ],
];

function expectedOf({ code, message, hint, templateOffset }: Problem): Expected {
  if (templateOffset !== undefined) return [code, message, hint, templateOffset];
  return hint === undefined ? [code, message] : [code, message, hint];
}

void t.test('what is wrong with a rule', (t) => {
  for (const [text, ...expected] of errorCases) {
    const { problems } = load(rule(text));
    t.strictSame(problems.errors.map(expectedOf), expected, text);
    for (const { place, rpc } of problems.errors) {
      t.equal(rpc, 'p.S.M');
      t.match(place, { file: 'test.proto', line: optionLine });
    }
  }
  t.end();
});

void t.test('a broken rule is left out, the others stay', (t) => {
  const { bindings } = load(rule('get: "/a" additional_bindings { get: "/{nope}" } additional_bindings { put: "/c" }'));
  t.strictSame(bindings.map(summaryOf), ['0 GET /a [] none', '2 PUT /c [] none']);
  t.end();
});

void t.test('problems name the template and the line of their pattern', (t) => {
  const { problems } = load(
    'option (google.api.http) = {\n  get: "/ok"\n  additional_bindings {\n    get: "/{nope}"\n  }\n};',
  );
  t.match(problems.errors, [{ template: '/{nope}', place: { file: 'test.proto', line: optionLine + 3 } }]);
  t.end();
});

void t.test('warnings', (t) => {
  const warningsOf = (options: string) => load(options).problems.warnings.map(expectedOf);
  t.strictSame(warningsOf(rule('get: "/a" selector: "p.S.Other"')), [
    [
      'http-rule-selector',
      'the selector "p.S.Other" has no effect here: the rule belongs to p.S.M',
      'drop it, or move the rule into a service config',
    ],
  ]);
  t.strictSame(warningsOf(rule('custom { kind: "get" path: "/a" }')), [
    [
      'http-rule-kind',
      'the method "get" can be sent over HTTP/2 only: Node\'s HTTP/1.1 parser does not know it',
      'methods are case-sensitive: did you mean GET?',
    ],
  ]);
  t.strictSame(warningsOf(rule('custom { kind: "BREW" path: "/a" }')), [
    ['http-rule-kind', 'the method "BREW" can be sent over HTTP/2 only: Node\'s HTTP/1.1 parser does not know it'],
  ]);
  t.strictSame(warningsOf(''), [
    [
      'unannotated-method',
      'p.S.M has no google.api.http option, so no HTTP request reaches it',
      'add one: option (google.api.http) = { get: "/v1/…" }; or serve such methods by auto_mapping',
    ],
  ]);
  t.end();
});

void t.test('auto_mapping serves what has no rule', (t) => {
  const problems = new ProblemList();
  const text = protoOf('').replace(
    'service S {',
    `service S { rpc Ruled(Request) returns (Response) { ${rule('get: "/a"')} }`,
  );
  const bindings = bindingsOf(schemaFromText(text).services, problems, { autoMapping: true });
  t.strictSame(bindings.map(summaryOf), ['0 GET /a [] none', '0 POST /p.S/M [] all']);
  t.strictSame([...problems.errors, ...problems.warnings], []);
  t.end();
});

void t.test('origins give the order of files and declarations', (t) => {
  const service = (name: string, ...paths: string[]) =>
    `syntax = "proto3"; package p; import "google/api/annotations.proto"; message E${name} {}
     service ${name} { ${paths.map((path, index) => `rpc M${index}(E${name}) returns (E${name}) { ${rule(`get: "${path}" additional_bindings { put: "${path}" }`)} }`).join('\n')} }`;
  const schema = schemaFromText({ 'b.proto': service('B', '/b0', '/b1'), 'a.proto': service('A', '/a0') });
  const bindings = bindingsOf(schema.services, new ProblemList());
  t.strictSame(
    bindings
      .map(({ origin }) => `${origin.place.file} ${origin.fileOrder} ${origin.declaration} ${origin.rpc}`)
      .toSorted(),
    [
      'a.proto 1 0 p.A.M0',
      'a.proto 1 1 p.A.M0',
      'b.proto 0 0 p.B.M0',
      'b.proto 0 1 p.B.M0',
      'b.proto 0 2 p.B.M1',
      'b.proto 0 3 p.B.M1',
    ],
  );
  t.end();
});

void t.test('method options', (t) => {
  const { bindings, problems } = load(
    `${rule('post: "/a/{name}" body: "*" additional_bindings { get: "/b" }')}
    option (photongate.http) = {
      success_status: 201
      headers: [{ header: "If-Match" field: "shelf.name" }, { cookie: "Session" field: "id" }]
      headers { header: "x-tag" field: "tags" }
      response_headers { header: "Location" field: "uri" }
      update_mask: false
      sse { id: "revision" event: "shelf.theme" }
      deadline { seconds: 1 nanos: 500000000 }
    };`,
    'rpc M(Request) returns (stream Response)',
  );
  t.strictSame([...problems.errors, ...problems.warnings], []);
  const { options } = bindings[0]!;
  t.equal(bindings[1]!.options, options);
  t.equal(options.successStatus, 201);
  t.equal(options.updateMask, false);
  t.equal(options.deadlineMs, 1500);
  t.strictSame(
    options.headers.map(({ source, name, path }) => `${source} ${name} ${fieldPathText(path)}`),
    ['header if-match shelf.name', 'cookie Session id', 'header x-tag tags'],
  );
  t.strictSame(
    options.responseHeaders.map(({ name, path }) => `${name} ${fieldPathText(path)}`),
    ['location uri'],
  );
  t.equal(fieldPathText(options.sse!.id!), 'revision');
  t.equal(fieldPathText(options.sse!.event!), 'shelf.theme');
  t.end();
});

void t.test('a method without options has none', (t) => {
  const { options } = load(rule('get: "/a"')).bindings[0]!;
  t.strictSame(options, {
    successStatus: undefined,
    headers: [],
    responseHeaders: [],
    updateMask: undefined,
    sse: undefined,
    deadlineMs: undefined,
  });
  t.end();
});

const textHint = 'name a scalar, an enum or a well-known type with a string form';

const optionErrorCases: readonly (readonly [text: string, ...Expected[]])[] = [
  ...[199, 400, 0, -200, 99999999999999999999n].map(
    (status) =>
      [
        `success_status: ${status}`,
        [
          'option-value',
          `success_status is ${status}, expected 200 to 399 and not 206`,
          'errors get their status from the gRPC code',
        ],
      ] as const,
  ),
  [
    'success_status: 206',
    [
      'option-value',
      'success_status is 206, expected 200 to 399 and not 206',
      'let the service send x-http-code: 206 with its content-range',
    ],
  ],
  [
    'success_status: "201"',
    ['option-type', 'success_status of photongate.HttpOptions is the string "201", expected an integer'],
  ],
  [
    'success_status: 200.5',
    ['option-type', 'success_status of photongate.HttpOptions is the number 200.5, expected an integer'],
  ],
  ['update_mask: 1', ['option-type', 'update_mask of photongate.HttpOptions is the number 1, expected true or false']],
  [
    'sucess_status: 201',
    ['option-unknown', 'photongate.HttpOptions has no member "sucess_status"', 'did you mean success_status?'],
  ],
  [
    'headers { header: "a" }',
    ['option-value', 'an entry of headers names no field', 'name a field of p.Request: field: "…"'],
  ],
  [
    'headers { field: "name" }',
    ['option-value', 'an entry of headers names no header and no cookie', 'write { header: "if-match" field: "etag" }'],
  ],
  [
    'headers { header: "a" cookie: "b" field: "name" }',
    ['option-value', 'an entry of headers names a header and a cookie, expected one of them', 'write two entries'],
  ],
  [
    'headers { header: "a b" field: "name" }',
    ['option-value', '"a b" is not the name of a header or cookie', "use letters, digits and !#$%&'*+-.^_`|~"],
  ],
  [
    'headers { header: "a" field: "nmae" }',
    ['unknown-field', 'headers: p.Request has no field "nmae"', 'did you mean name?'],
  ],
  [
    'headers { header: "a" field: "shelf" }',
    ['option-value', 'headers: "shelf" is "shelf" of type p.Shelf, which cannot be written as one text', textHint],
  ],
  [
    'headers { header: "a" field: "name" } headers { cookie: "b" field: "name" }',
    [
      'field-bound-twice',
      'the cookie "b" binds "name", and the header "a" binds "name": each field is bound once',
      'bind another field',
    ],
  ],
  [
    'response_headers { field: "uri" }',
    ['option-value', 'an entry of response_headers names no header', 'write { header: "location" field: "uri" }'],
  ],
  [
    'response_headers { header: "Content-Type" field: "uri" }',
    ['option-value', 'the header "content-type" is the proxy\'s own', 'choose another header'],
  ],
  [
    'response_headers { header: "grpc-status" field: "uri" }',
    ['option-value', 'the header "grpc-status" is the proxy\'s own', 'choose another header'],
  ],
  [
    'response_headers { header: "x" field: "name" }',
    [
      'unknown-field',
      'response_headers: p.Response has no field "name"',
      'its fields are shelf, shelves, uri, revision, by_name',
    ],
  ],
  [
    'response_headers { header: "x" field: "shelves" }',
    [
      'option-value',
      'response_headers: "shelves" is the repeated field "shelves", which cannot be written as one text',
      textHint,
    ],
  ],
  [
    'sse { id: "uri" }',
    [
      'option-value',
      'sse is set, but p.S.M does not return a stream',
      'drop it, or declare the method with "returns (stream …)"',
    ],
  ],
  ...['seconds: -1', 'seconds: 400000000000', 'nanos: 1000000000'].map(
    (text) =>
      [
        `deadline { ${text} }`,
        [
          'option-value',
          `deadline is ${/seconds: (\S+)/.exec(text)?.[1] ?? 0} s and ${/nanos: (\S+)/.exec(text)?.[1] ?? 0} ns, expected a time above 0, or 0 for none`,
          'write deadline { seconds: 5 }, or leave it out for the default',
        ],
      ] as const,
  ),
  [
    'deadline: "5s"',
    ['option-type', 'deadline of photongate.HttpOptions is the string "5s", expected a message: { … }'],
  ],
];

void t.test('what is wrong with method options', (t) => {
  for (const [text, ...expected] of optionErrorCases) {
    const { problems } = load(`${rule('get: "/a"')} option (photongate.http) = { ${text} };`);
    t.strictSame(problems.errors.map(expectedOf), expected, text);
    for (const { place, rpc } of problems.errors) {
      t.equal(rpc, 'p.S.M');
      t.match(place, { file: 'test.proto', line: optionLine });
    }
  }
  t.end();
});

void t.test('limits of method options', (t) => {
  const optionsOf = (text: string) => {
    const { bindings, problems } = load(`${rule('get: "/a"')} option (photongate.http) = { ${text} };`);
    return { ...bindings[0]!.options, errors: problems.errors.length };
  };
  for (const successStatus of [200, 204, 304, 399]) {
    t.match(optionsOf(`success_status: ${successStatus}`), { successStatus, errors: 0 });
  }
  t.match(optionsOf('deadline {}'), { deadlineMs: Infinity, errors: 0 });
  t.match(optionsOf('deadline { seconds: 0 }'), { deadlineMs: Infinity, errors: 0 });
  t.match(optionsOf('deadline { nanos: 999999999 }'), { deadlineMs: 999.999999, errors: 0 });
  t.match(optionsOf('deadline { seconds: 315576000000 }'), { deadlineMs: 315_576_000_000_000, errors: 0 });
  t.end();
});

void t.test('broken entries of method options are left out', (t) => {
  const { bindings } = load(`${rule('get: "/a"')} option (photongate.http) = {
    headers { header: "a b" field: "name" }
    headers { header: "c" field: "nmae" }
    headers { header: "d" field: "at.seconds" }
    headers { header: "e" field: "at" }
    headers { header: "f" field: "ttl" }
    headers { header: "g" field: "ttl.nanos" }
    response_headers { header: "h i" field: "uri" }
    response_headers { header: "j" field: "nope" }
    response_headers { header: "k" field: "uri" }
  };`);
  const { headers, responseHeaders } = bindings[0]!.options;
  t.strictSame(
    headers.map(({ name }) => name),
    ['d', 'f'],
  );
  t.strictSame(
    responseHeaders.map(({ name }) => name),
    ['k'],
  );
  t.end();
});

void t.test('headers and rules may not set the same field', (t) => {
  const errorsOf = (text: string, field: string) =>
    load(`${rule(text)} option (photongate.http) = { headers { header: "x-h" field: "${field}" } };`).problems.errors;
  t.match(errorsOf('get: "/{name}"', 'name'), [
    {
      code: 'field-bound-twice',
      message: 'the variable {name} binds "name", and the header "x-h" binds "name": each field is bound once',
    },
  ]);
  t.match(errorsOf('get: "/{user}"', 'team'), [{ code: 'oneof-bound-twice' }]);
  t.match(errorsOf('post: "/" body: "name"', 'name'), [
    { code: 'body-field-bound', message: 'the header "x-h" binds "name", which the body "name" sets as well' },
  ]);
  t.strictSame(errorsOf('post: "/" body: "shelf"', 'shelf.name'), []);
  t.strictSame(errorsOf('post: "/" body: "*"', 'name'), []);
  t.end();
});

const servicesText = {
  'a.proto':
    'syntax = "proto3"; package a.v1; import "c.proto"; message E {} service Greeter { rpc M(E) returns (E); } service Other {}',
  'b.proto': 'syntax = "proto3"; package b; message E {} service Greeter {}',
  'c.proto': 'syntax = "proto3"; package c; message E {} service Imported {} service Second {}',
};

void t.test('selectServices', (t) => {
  const schema = schemaFromText(servicesText, { protos: ['b.proto', 'a.proto'] });
  const select = (...patterns: string[]) => {
    const problems = new ProblemList();
    const names = selectServices(schema, patterns, problems).map(({ fullName }) => fullName);
    return { names, errors: problems.errors.map(expectedOf) };
  };
  const all = schema.services.map(({ fullName }) => fullName);
  t.strictSame(all.toSorted(), ['a.v1.Greeter', 'a.v1.Other', 'b.Greeter']);
  t.strictSame(select(), { names: all, errors: [] });
  t.strictSame(select('*'), { names: all, errors: [] });
  t.strictSame(select('b.Greeter', 'b.*'), { names: ['b.Greeter'], errors: [] });
  t.strictSame(select('a.*').names.toSorted(), ['a.v1.Greeter', 'a.v1.Other']);
  t.strictSame(select('a.v1.Other', 'b.*').names.toSorted(), ['a.v1.Other', 'b.Greeter']);
  t.strictSame(select('a.v1.Greter', 'b.*'), {
    names: ['b.Greeter'],
    errors: [['unknown-service', 'no service is named "a.v1.Greter"', 'did you mean a.v1.Greeter?']],
  });
  t.strictSame(select('a.v1').names.toSorted(), ['a.v1.Greeter', 'a.v1.Other']);
  t.strictSame(select('a.v2').errors, [['unknown-service', 'no service is named "a.v2"', 'did you mean a.v1?']]);
  t.strictSame(select('Other').errors, [
    ['unknown-service', 'no service is named "Other"', 'did you mean a.v1.Other?'],
  ]);
  t.strictSame(select('a.v2.*').errors, [['unknown-service', 'no service is named "a.v2.*"', 'did you mean a.v1.*?']]);
  t.strictSame(select('zzzzzz.Q').errors, [
    ['unknown-service', 'no service is named "zzzzzz.Q"', `the services are ${all.join(', ')}`],
  ]);
  t.strictSame(select('c.Imported').errors, [
    [
      'unknown-service',
      '"c.Imported" matches only services of c.proto, which is imported but not served',
      'serve it: --proto c.proto',
    ],
  ]);
  for (const pattern of ['', 'a', 'a*', '*.Greeter', 'a..b', 'a.', 'a.v1.Greeter/M', '__proto__']) {
    t.equal(select(pattern).errors.length, 1, pattern);
  }
  t.strictSame(select('a*').errors, [
    [
      'selector-syntax',
      '"a*" is not a selector of services',
      'write a full name (pkg.Service), a package (pkg), a package with those below it (pkg.*), or *',
    ],
  ]);
  t.end();
});

void t.test('selectorMatches', (t) => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['*', 'a.B', true],
    ['a.*', 'a.B', true],
    ['a.*', 'a.b.C.M', true],
    ['a.*', 'ab.C', false],
    ['a.*', 'a', false],
    ['a.B', 'a.B', true],
    ['a.B', 'a.Bc', false],
  ];
  for (const [selector, name, expected] of cases)
    t.equal(selectorMatches(selector, name), expected, `${selector} ${name}`);
  t.end();
});

void t.test('a field whose type no file declares is no unknown field', (t) => {
  const { schema } =
    loadText(`syntax = "proto3"; import "google/api/annotations.proto"; message M { Lost lost = 1; M m = 2; }
    service S {
      rpc A(M) returns (M) { option (google.api.http) = { get: "/a/{lost}" }; }
      rpc B(M) returns (M) { option (google.api.http) = { post: "/b" body: "m.lost" }; }
    }`);
  const problems = new ProblemList();
  bindingsOf(schema.services, problems);
  t.strictSame(
    problems.errors.map(({ message }) => message),
    ['the type of field M.lost is not known', 'body: the type of field M.lost (in "m.lost") is not known'],
  );
  t.end();
});
