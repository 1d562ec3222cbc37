/** Rules of service configs: what they replace, in which order they count, and what is wrong with a file. */
import t from 'tap';
import { bindingsOf, RuleFiles } from '../../lib/rule/index.js';
import { memoryFiles } from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';
import { schemaFromText } from '../support/schema.js';

const proto = `syntax = "proto3";
package c.v1;
import "google/api/annotations.proto";
service Books {
  rpc Get(Book) returns (Book) { option (google.api.http) = { get: "/annotated/{name}" additional_bindings { get: "/more/{name}" } }; }
  rpc Put(Book) returns (Book);
  rpc Other(Book) returns (Book) { option (google.api.http) = { get: "/other" }; }
}
message Book { string name = 1; string title = 2; Book inner = 3; }
`;

interface Loaded {
  /** `GET /path body rpc` of each binding. */
  readonly routes: readonly string[];
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

function load(...texts: readonly string[]): Loaded {
  const schema = schemaFromText(proto);
  const problems = new ProblemList();
  const names = texts.map((_, index) => `${index}.yaml`);
  const files = memoryFiles(Object.fromEntries(texts.map((text, index) => [names[index]!, text])), '/work');
  const ruleFiles = new RuleFiles(schema, '/work', problems, files);
  const rules = ruleFiles.ruleSet(names);
  const bindings = bindingsOf(schema.services, problems, { rules });
  const text = ({ code, message, place }: (typeof problems.errors)[number]): string =>
    `${code} ${place?.file ?? ''}:${place?.line ?? ''}:${place?.column ?? ''} ${message}`;
  return {
    routes: bindings.map(
      ({ httpMethod, template, body, method }) => `${httpMethod} ${template.source} ${body.kind} ${method.name}`,
    ),
    errors: problems.errors.map(text),
    warnings: problems.warnings.map(text),
  };
}

const other = 'GET /other none Other';
const annotated = ['GET /annotated/{name} none Get', 'GET /more/{name} none Get'];

const off = (selector: string): string => `http: { rules: [ { selector: "${selector}" } ] }`;
const on = (selector: string, path: string): string => `http: { rules: [ { selector: "${selector}", get: ${path} } ] }`;

void t.test('rules', (t) => {
  for (const [name, texts, routes] of [
    [
      'replaces the annotation whole',
      ['http: { rules: [ { selector: c.v1.Books.Get, get: "/v1/{name}" } ] }'],
      ['GET /v1/{name} none Get', other],
    ],
    [
      'gives one to a method without',
      [
        'type: google.api.Service\nconfig_version: 3\nhttp:\n  rules:\n  - selector: c.v1.Books.Put\n    put: /v1/{inner.name}\n    body: inner\n    additional_bindings:\n    - custom: { kind: LOCK, path: "/v1/{name}" }\n',
      ],
      [...annotated, 'PUT /v1/{inner.name} field Put', 'LOCK /v1/{name} none Put', other],
    ],
    [
      'the last rule wins',
      ['http: { rules: [ { selector: c.v1.Books.Other, get: /a }, { selector: c.v1.Books.Other, get: /b } ] }'],
      [...annotated, 'GET /b none Other'],
    ],
    [
      'of several files too',
      [
        'http: { rules: [ { selector: c.v1.Books.Other, get: /a } ] }',
        'http: { rules: [ { selector: c.v1.Books.Other, get: /c } ] }',
      ],
      [...annotated, 'GET /c none Other'],
    ],
    [
      'a wildcard is for all',
      ['http: { rules: [ { selector: "c.v1.*", post: "/{name}", body: "*" } ] }'],
      ['POST /{name} all Get', 'POST /{name} all Put', 'POST /{name} all Other'],
    ],
    [
      'a later name goes before a wildcard',
      ['http: { rules: [ { selector: "*", get: /w }, { selector: c.v1.Books.Put, get: /p } ] }'],
      ['GET /w none Get', 'GET /p none Put', 'GET /w none Other'],
    ],
    [
      'of wildcards, too, whichever is wider',
      [on('c.v1.*', '/narrow'), on('*', '/wide')],
      ['GET /wide none Get', 'GET /wide none Put', 'GET /wide none Other'],
    ],
    [
      'and the other way round',
      [on('*', '/wide'), on('c.v1.*', '/narrow')],
      ['GET /narrow none Get', 'GET /narrow none Put', 'GET /narrow none Other'],
    ],
    [
      'a later wildcard goes before a name',
      [on('c.v1.Books.Put', '/p'), on('*', '/w')],
      ['GET /w none Get', 'GET /w none Put', 'GET /w none Other'],
    ],
    ['one that has a selector alone takes the routes away', [off('c.v1.Books.Get')], [other]],
    ['of all that a wildcard names', [off('c.v1.*')], []],
    ['but for those that a later rule gives some', [off('*'), on('c.v1.Books.Put', '/p')], ['GET /p none Put']],
    [
      'and not those of an earlier rule that is wider',
      [on('*', '/w'), off('c.v1.Books.Put')],
      ['GET /w none Get', 'GET /w none Other'],
    ],
    [
      'an empty list of bindings is none',
      ['http: { rules: [ { selector: c.v1.Books.Get, additional_bindings: [] } ] }'],
      [other],
    ],
    [
      'camelCase and JSON',
      [
        '{"http": {"rules": [{"selector": "c.v1.Books.Other", "get": "/a", "additionalBindings": [{"get": "/b", "responseBody": "title"}]}]}}',
      ],
      [...annotated, 'GET /a none Other', 'GET /b none Other'],
    ],
  ] as const) {
    const loaded = load(...texts);
    t.strictSame(loaded.errors, [], name);
    t.strictSame(loaded.routes, routes, name);
  }
  t.end();
});

void t.test('what is wrong', (t) => {
  for (const [text, error] of [
    ['http: { rules: [ { selector: c.v1.Books.Gett, get: /a } ] }', /^unknown-rpc 0\.yaml:1:\d+ .*c\.v1\.Books\.Gett/],
    ['http: { rules: [ { selector: c.v2.*, get: /a } ] }', /^unknown-rpc 0\.yaml:1:/],
    ['http:\n  rules:\n  - selector: c.v1.Books.Get\n    gett: /a\n', /^option-unknown 0\.yaml:4:5 .*gett/],
    ['http: { rules: [ { selector: c.v1.Books.Get, get: "a" } ] }', /^template-syntax 0\.yaml:1:/],
    ['http: { rules: [ { selector: c.v1.Books.Get, get: "/{nam}" } ] }', /^unknown-field 0\.yaml:1:/],
    ['http: { rules: [ { selector: c.v1.Books.Get, get: /a, put: /b } ] }', /^http-rule-two-patterns 0\.yaml:1:/],
    ['http: { rules: [ { selector: c.v1.Books.Get, body: "*" } ] }', /^http-rule-no-pattern 0\.yaml:1:/],
    ['http:\n  rules:\n  - selector: c.v1.Books.Get\n    get:\n', /^http-rule-no-pattern 0\.yaml:3:/],
    ['http: { rules: [ { selector: c.v1.Books.Get, get: null } ] }', /^http-rule-no-pattern 0\.yaml:1:/],
    [
      'http: { rules: [ { selector: c.v1.Books.Get, additional_bindings: [ { get: /a } ] } ] }',
      /^http-rule-no-pattern /,
    ],
    [off('c.v1.Books.Gett'), /^unknown-rpc 0\.yaml:1:/],
    ['http: { rules: [ {} ] }', /^selector-syntax 0\.yaml:1:.*no selector/],
    ['http: { rules: [ { get: /a } ] }', /^selector-syntax 0\.yaml:1:.*no selector/],
    ['http: { rules: [ { selector: "c.*.Get", get: /a } ] }', /^selector-syntax 0\.yaml:1:/],
    ['http: { rule: [] }', /^option-unknown 0\.yaml:1:\d+ .*rule/],
    ['proto: x', /^service-config 0\.yaml:/],
    ['type: google.api.Other\nhttp: {}', /^service-config 0\.yaml:1:/],
    ['http: [', /0\.yaml:1:/],
    ['- 1', /0\.yaml/],
    ['', /0\.yaml/],
  ] as const) {
    const { errors } = load(text);
    t.match(errors[0] ?? '', error, text);
  }
  t.end();
});

void t.test('an RPC whose routes were taken away has none by auto_mapping either, and is not warned of', (t) => {
  const schema = schemaFromText(proto);
  const problems = new ProblemList();
  const files = memoryFiles({ 'r.yaml': off('c.v1.Books.*') }, '/work');
  const rules = new RuleFiles(schema, '/work', problems, files).ruleSet(['r.yaml']);
  for (const autoMapping of [true, false]) {
    t.strictSame(bindingsOf(schema.services, problems, { rules, autoMapping }), []);
  }
  t.strictSame(problems.warnings, []);
  t.end();
});

void t.test('a rule for what is not served is a warning', (t) => {
  const schema = schemaFromText(proto);
  const problems = new ProblemList();
  const files = memoryFiles({ 'r.yaml': 'http: { rules: [ { selector: c.v1.Books.Get, get: /a } ] }' }, '/memory');
  const ruleFiles = new RuleFiles(schema, '/memory', problems, files);
  ruleFiles.ruleSet(['r.yaml']);
  ruleFiles.reportUnserved([{ paths: ['r.yaml'], services: ['c.v1.Books'] }]);
  t.strictSame(problems.warnings, []);
  ruleFiles.reportUnserved([{ paths: ['r.yaml'], services: [] }]);
  t.match(problems.warnings, [
    {
      code: 'unserved-rule',
      message: '"c.v1.Books.Get" selects RPCs of services that are not served',
      place: { file: 'r.yaml', line: 1, column: 20 },
      hint: 'serve their .proto file with --proto, and check --service',
    },
  ]);
  t.end();
});
