/** The language of .proto files: options, strings, comments, places, syntax errors, and what hostile text does. */
import fc from 'fast-check';
import t from 'tap';
import { lexerLimits } from './limits.js';
import type { OptionMessage, OptionValue } from '../../lib/schema/index.js';
import { decodeUtf8, readString } from '../../lib/schema/text/strings.js';
import { loadText, schemaFromText } from '../support/schema.js';

/** An option as plain data: `[name, value]` pairs, enum names as `<NAME>`, bigints as text with an n. */
function plain(value: OptionValue | undefined): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object') return value;
  if ('identifier' in value) return `<${value.identifier}>`;
  return value.fields.map((field) => [field.name, plain(field.value)]);
}

const methodFile = (options: string, imports = ''): string => `syntax = "proto3";
package a.b;
import "google/api/annotations.proto";
${imports}
service S {
  rpc M(T) returns (T) {
    ${options}
  }
}
message T {}
`;

function httpOption(text: string): OptionMessage | undefined {
  return schemaFromText(methodFile(text)).services[0]!.methods[0]!.option('google.api.http');
}

const http = (value: string): string => `option (google.api.http) = ${value};`;

void t.test('options are read as they are written', (t) => {
  const cases: readonly (readonly [name: string, text: string, expected: unknown])[] = [
    ['aggregate', http('{ get: "/a" }'), [['get', '/a']]],
    [
      'angle brackets',
      http('{ get: "/a" additional_bindings < get: "/b" > }'),
      [
        ['get', '/a'],
        ['additional_bindings', [['get', '/b']]],
      ],
    ],
    ['angle brackets outside', http('< get: "/a" >'), [['get', '/a']]],
    [
      'separators',
      http('{ get: "/a", body: "*"; response_body: "b" }'),
      [
        ['get', '/a'],
        ['body', '*'],
        ['response_body', 'b'],
      ],
    ],
    [
      'no colon before a message',
      http('{ custom{kind:"X" path:"/x"} }'),
      [
        [
          'custom',
          [
            ['kind', 'X'],
            ['path', '/x'],
          ],
        ],
      ],
    ],
    ['colon before a message', http('{ custom: { kind: "X" } }'), [['custom', [['kind', 'X']]]]],
    [
      'list of messages',
      http('{ additional_bindings: [ { get: "/b" }, < get: "/c" > ] }'),
      [
        ['additional_bindings', [['get', '/b']]],
        ['additional_bindings', [['get', '/c']]],
      ],
    ],
    [
      'list without colon',
      http('{ additional_bindings [ { get: "/b" } ] }'),
      [['additional_bindings', [['get', '/b']]]],
    ],
    ['empty list', http('{ get: "/a" additional_bindings: [] }'), [['get', '/a']]],
    [
      'list of scalars keeps falsy values',
      http('{ n: [0, 1] f: false }'),
      [
        ['n', 0],
        ['n', 1],
        ['f', false],
      ],
    ],
    [
      'a member given twice',
      http('{ get: "/a" get: "/b" }'),
      [
        ['get', '/a'],
        ['get', '/b'],
      ],
    ],
    [
      'nested bindings',
      http('{ additional_bindings { additional_bindings {} } }'),
      [['additional_bindings', [['additional_bindings', []]]]],
    ],
    ['joined strings', http(`{ get: "/a" '/b'\n  "/c" }`), [['get', '/a/b/c']]],
    ['comments inside', http('{ // one\n get: /* two */ "/a" // "no"\n }'), [['get', '/a']]],
    ['braces in a string', http('{ get: "/{a=b/*}};" }'), [['get', '/{a=b/*}};']]],
    [
      'numbers',
      http('{ a: -1 b: - 1 c: 0x1F d: 017 e: 1.5e3 f: .5 g: 1f h: 0 }'),
      [
        ['a', -1],
        ['b', -1],
        ['c', 31],
        ['d', 15],
        ['e', 1500],
        ['f', 0.5],
        ['g', 1],
        ['h', 0],
      ],
    ],
    [
      'wide numbers',
      http('{ a: 9007199254740991 b: 9007199254740993 c: -18446744073709551615 }'),
      [
        ['a', 9007199254740991],
        ['b', '9007199254740993n'],
        ['c', '-18446744073709551615n'],
      ],
    ],
    [
      'names',
      http('{ a: true b: false c: LOW d: inf e: -inf f: - nan g: True }'),
      [
        ['a', true],
        ['b', false],
        ['c', '<LOW>'],
        ['d', '<inf>'],
        ['e', '<-inf>'],
        ['f', '<-nan>'],
        ['g', '<True>'],
      ],
    ],
    [
      'extension and Any keys',
      http('{ [x.y.z]: 1 [type.googleapis.com/a.B] { c: 2 } }'),
      [
        ['[x.y.z]', 1],
        ['[type.googleapis.com/a.B]', [['c', 2]]],
      ],
    ],
    [
      'reserved words as names',
      http('{ option: "a" message: "b" rpc { get: "c" } }'),
      [
        ['option', 'a'],
        ['message', 'b'],
        ['rpc', [['get', 'c']]],
      ],
    ],
    [
      '__proto__ as a name',
      http('{ __proto__: "a" constructor { toString: "b" } }'),
      [
        ['__proto__', 'a'],
        ['constructor', [['toString', 'b']]],
      ],
    ],
    [
      'dotted paths',
      'option (google.api.http).get = "/a"; option (google.api.http).body = "*";',
      [
        ['get', '/a'],
        ['body', '*'],
      ],
    ],
    [
      'dotted paths of one message',
      'option (google.api.http).custom.kind = "X"; option (google.api.http).custom.path = "/x";',
      [
        [
          'custom',
          [
            ['kind', 'X'],
            ['path', '/x'],
          ],
        ],
      ],
    ],
    [
      'repeated by dotted paths',
      'option (google.api.http).additional_bindings = { get: "/b" }; option (google.api.http).additional_bindings = { get: "/c" };',
      [
        ['additional_bindings', [['get', '/b']]],
        ['additional_bindings', [['get', '/c']]],
      ],
    ],
    [
      'whole, then dotted',
      `${http('{ get: "/a" custom { kind: "X" } }')} option (google.api.http).custom.path = "/x";`,
      [
        ['get', '/a'],
        ['custom', [['kind', 'X']]],
        ['custom', [['path', '/x']]],
      ],
    ],
    [
      'given twice',
      `${http('{ get: "/a" }')} ${http('{ get: "/b" }')}`,
      [
        ['get', '/a'],
        ['get', '/b'],
      ],
    ],
    ['leading dot', 'option (.google.api.http) = { get: "/a" };', [['get', '/a']]],
    ['none', '', undefined],
    ['others only', 'option deprecated = true; option idempotency_level = IDEMPOTENT;', undefined],
    ['stray semicolons', `; ${http('{ get: "/a" }')} ;`, [['get', '/a']]],
  ];
  for (const [name, text, expected] of cases) t.strictSame(plain(httpOption(text)), expected, name);
  t.end();
});

void t.test('the name of an option is resolved from its scope', (t) => {
  const file = (pkg: string, option: string): string => `syntax = "proto3"; package ${pkg};
import "google/api/annotations.proto";
message T {}
service S { rpc M(T) returns (T) { option (${option}) = { get: "/a" }; } }`;
  const found = (pkg: string, option: string): unknown =>
    plain(schemaFromText(file(pkg, option)).services[0]!.methods[0]!.option('google.api.http'));
  t.strictSame(found('google.x', 'api.http'), [['get', '/a']]);
  t.strictSame(found('google.api', 'http'), [['get', '/a']]);
  t.strictSame(found('google.api.deep.er', 'http'), [['get', '/a']]);
  t.strictSame(found('my.v1', 'google.api.http'), [['get', '/a']]);
  // The innermost scope that knows the first part decides, as in protoc.
  const inner = loadText(file('my.google', 'google.api.http'));
  t.strictSame(
    inner.problems.errors.map(({ code, rpc }) => [code, rpc]),
    [['unknown-option', 'my.google.S.M']],
  );
  t.strictSame(inner.schema.services[0]!.methods[0]!.option('google.api.http')?.fields[0]?.value, '/a');
  t.end();
});

void t.test('an option knows its places', (t) => {
  const option = httpOption(`option (google.api.http) = {
      get: "/a"
      additional_bindings { put: "/b" }
    };`)!;
  const [get, more] = option.fields;
  t.strictSame(option.place, { file: 'test.proto', line: 7, column: 12 });
  t.strictSame(get!.place, { file: 'test.proto', line: 8, column: 7 });
  t.strictSame(more!.place, { file: 'test.proto', line: 9, column: 7 });
  t.strictSame((more!.value as OptionMessage).fields[0]!.place, { file: 'test.proto', line: 9, column: 29 });
  t.end();
});

void t.test('string literals', (t) => {
  const cases: readonly (readonly [literal: string, value: string])[] = [
    ['"a"', 'a'],
    ["'it\"s'", 'it"s'],
    ['"\\a\\b\\f\\n\\r\\t\\v\\\\\\\'\\"\\?"', '\x07\b\f\n\r\t\v\\\'"?'],
    ['"\\xe2\\x82\\xac"', '€'],
    ['"\\342\\202\\254"', '€'],
    ['"\\u20ac"', '€'],
    ['"\\U0001F600"', '😀'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"€\\x41"', '€A'],
    ['"\\xe2\\x82" ', '\udce2\udc82'],
    ['"\\xff\\ufffd"', '\udcff\ufffd'],
    ['"\\x4"', '\x04'],
    ['"\\1018"', 'A8'],
    ['"\\0"', '\0'],
    ['"\\X41"', 'A'],
    ['""', ''],
  ];
  for (const [literal, value] of cases) t.equal(readString(literal.trim()), value, literal);
  for (const literal of ['"\\q"', '"\\u12"', '"\\ud83d"', '"\\ude00"', '"\\U00110000"', '"\\x"', '"\\8"']) {
    t.throws(() => readString(literal), { name: 'Error' }, literal);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const escaped = [...Buffer.from(text)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
      return readString(`"${escaped}"`) === text && decodeUtf8(Buffer.from(text)) === text;
    }),
  );
  t.end();
});

void t.test('comments belong to what they stand at', (t) => {
  const cases: readonly (readonly [name: string, text: string, a: string, b: string])[] = [
    ['leading', '// one\n// two\nint32 a = 1;\nint32 b = 2;', 'one\ntwo', ''],
    ['trailing on the line', 'int32 a = 1; // one\nint32 b = 2;', 'one', ''],
    ['a later line does not belong to the trailing one', 'int32 a = 1; // one\n// two\nint32 b = 2;', 'one', 'two'],
    ['next line, then a blank one', 'int32 a = 1;\n// one\n\nint32 b = 2;', 'one', ''],
    ['next line leads what follows', 'int32 a = 1;\n// one\nint32 b = 2;', '', 'one'],
    ['two comments apart', 'int32 a = 1;\n// one\n\n// two\nint32 b = 2;', 'one', 'two'],
    ['detached', 'int32 a = 1;\n\n// one\n\nint32 b = 2;', '', ''],
    ['detached, then leading', 'int32 a = 1;\n\n// one\n\n// two\nint32 b = 2;', '', 'two'],
    ['before the end of the scope', 'int32 a = 1;\nint32 b = 2;\n// one\n', '', 'one'],
    ['leading wins', '// one\nint32 a = 1; // two\nint32 b = 2;', 'one', ''],
    ['block', '/* one\n * two\n *   three\n */\nint32 a = 1;\nint32 b = 2;', 'one\ntwo\n  three', ''],
    ['documentation block', '/** one\n * two\n */\nint32 a = 1;\nint32 b = 2;', 'one\ntwo', ''],
    [
      'documentation block, first line bare',
      '/**\n * one\n *\n * two\n **/\nint32 a = 1;\nint32 b = 2;',
      'one\n\ntwo',
      '',
    ],
    ['documentation block in one line', '/** one **/\nint32 a = 1;\nint32 b = 2;', 'one', ''],
    ['documentation block of Qt', '/*! one\n * two */\nint32 a = 1;\nint32 b = 2;', 'one\ntwo', ''],
    ['emphasis', '/* *one* */\n// *two*\nint32 a = 1;\nint32 b = 2;', '*two*', ''],
    ['three slashes', '/// one\n///\n/// - two\nint32 a = 1;\nint32 b = 2;', 'one\n\n- two', ''],
    ['three slashes behind', 'int32 a = 1; ///< one\nint32 b = 2;', 'one', ''],
    ['a path', '// /v1/a\n// /v1/b\nint32 a = 1;\nint32 b = 2;', '/v1/a\n/v1/b', ''],
    ['a banner', '////////////\n// one\nint32 a = 1;\nint32 b = 2;', 'one', ''],
    ['block of one line between', 'int32 a = 1; /* one */ int32 b = 2;', '', ''],
    ['block, then the rest of the line', 'int32 a = 1; /* one */\nint32 b = 2;', 'one', ''],
    ['blocks do not join', '/* one */\n/* two */\nint32 a = 1;\nint32 b = 2;', 'two', ''],
    ['a line comment does not join a block', '/* one */\n// two\nint32 a = 1;\nint32 b = 2;', 'two', ''],
    [
      'indentation is kept',
      '// List:\n//   - a\n//\n//     code\nint32 a = 1;\nint32 b = 2;',
      'List:\n  - a\n\n    code',
      '',
    ],
    ['CRLF', '// one\r\n// two\r\nint32 a = 1;\r\nint32 b = 2;', 'one\ntwo', ''],
    ['nothing', 'int32 a = 1;\nint32 b = 2;', '', ''],
  ];
  for (const [name, text, a, b] of cases) {
    const message = schemaFromText(`syntax = "proto3";\nmessage M {\n${text}\n}`).message('M')!;
    t.equal(message.field('a')!.comment, a, `${name}: a`);
    t.equal(message.field('b')!.comment, b, `${name}: b`);
  }
  const { services } = schemaFromText(`// License.

// A service.
syntax = "proto3";
// Of S.
service S { // not this
  // M gets.
  rpc M(T) returns (T) {} // nor this
  rpc N(T) returns (T); // N puts.
}
message T { // T is told.
}`);
  t.equal(services[0]!.comment, 'Of S.');
  t.strictSame(
    services[0]!.methods.map(({ comment }) => comment),
    ['M gets.', 'N puts.'],
  );
  t.end();
});

void t.test('places', (t) => {
  const schema = schemaFromText(
    'syntax = "proto3";\r\n\r\n  service S {\n\trpc M(T) returns (T);}\nmessage T {\n  int32 a = 1; enum E { Z = 0; } oneof o { int32 b = 2; } }',
  );
  const service = schema.services[0]!;
  const message = schema.message('T')!;
  const at = ({ place }: { place: { line?: number; column?: number } }): string => `${place.line}:${place.column}`;
  t.strictSame(
    [
      service,
      service.methods[0]!,
      message,
      message.fields[0]!,
      message.fields[1]!,
      message.oneofs[0]!,
      schema.enum('T.E')!,
    ].map(at),
    ['3:3', '4:2', '5:1', '6:3', '6:44', '6:34', '6:16'],
  );
  t.equal(service.place.file, 'test.proto');
  t.end();
});

void t.test('syntax errors say where, what was found and what was expected', (t) => {
  const cases: readonly (readonly [text: string, place: string, message: string])[] = [
    ['message M { int32 a 1; }', '1:21', 'expected "=" and a number after field a, found "1"'],
    ['message M { int32 a = x; }', '1:23', 'expected the number of field a, found "x"'],
    ['message M { int32 a = 1 }', '1:25', 'expected ";" after field a, found "}"'],
    ['message M { int32 = 1; }', '1:19', 'expected the name of a field, found "="'],
    ['message 1M {}', '1:9', '"1M" is neither a number nor a name'],
    [
      'message M {\n  int32 a = 1;\n',
      '3:1',
      'expected "}" to close the message M opened in line 1, found the end of the file',
    ],
    ['message M }', '1:11', 'expected "{" after the name of the message M, found "}"'],
    ['mesage M {}', '1:1', 'expected message, enum, service, extend, import, package or option, found "mesage"'],
    ['syntax = "proto4";', '1:10', 'syntax "proto4" is not known; expected "proto2" or "proto3"'],
    ['edition = "2099";', '1:11', 'edition "2099" is not known; expected "2023", "2024" or "2026"'],
    ['syntax = proto3;', '1:10', 'expected "proto3", found "proto3"'],
    ['import foo;', '1:8', 'expected the name of a file in quotes, found "foo"'],
    ['package a; package b;', '1:20', 'a file has one package, found a second one'],
    ['service S { rpc M(T) return (T); }', '1:22', 'expected "returns" after the request of rpc M, found "return"'],
    ['service S { rpc M(T) returns T; }', '1:30', 'expected "(" after "returns", found "T"'],
    ['service S { get M(T) returns (T); }', '1:13', 'expected rpc or option, found "get"'],
    ['service S { rpc M(T) returns (T) { get: "/a" } }', '1:36', 'expected option, found "get"'],
    ['option x = ;', '1:12', 'expected a value: a string, a number, a name or { … }, found ";"'],
    ['option (x = 1;', '1:11', 'expected ")" after the name of the option, found "="'],
    ['option x = { a 1 };', '1:16', 'expected ":" after "a", found "1"'],
    ['option x = { a: 1 ', '1:19', 'expected the name of a field, or "}", found the end of the file'],
    ['option x = { [a: 1 };', '1:16', 'expected the name of an extension, and "]" after it, found ":"'],
    ['option x = { a: [1 2] };', '1:20', 'expected "," or "]" in the list, found "2"'],
    ['option x = - y;', '1:12', 'expected a number after "-"'],
    ['option x = 089;', '1:12', '"089" starts with 0 and so is octal, where 8 and 9 do not exist'],
    ['option x = "a\nb";', '1:12', 'a string does not end on its line'],
    ['option x = "a\\q";', '1:14', '"\\q" is not an escape of a .proto string'],
    ['option x = 1; /* open', '1:15', 'a comment that starts with "/*" never ends'],
    ['option x = 1; é', '1:15', 'found "é" (U+00E9), which no .proto file may hold outside a string or comment'],
    [
      'option x = 1;\0',
      '1:14',
      'found the character U+0000, which no .proto file may hold outside a string or comment',
    ],
    ['message M { map<float, T> m = 1; }', '1:17', 'the keys of a map are integers, bool or string, found "float"'],
    ['message M { repeated map<int32, T> m = 1; }', '1:22', 'a map field has no label and stands in no oneof'],
    ['message M { oneof o { repeated int32 a = 1; } }', '1:32', 'a field of a oneof has no label, found "repeated"'],
    [
      'syntax = "proto2"; message M { optional group g = 1 {} }',
      '1:47',
      'the name of a group starts with a capital, found "g"',
    ],
    ['enum E { A = 3000000000; }', '1:14', 'the number of enum value A does not fit 32 bits'],
    ['enum E { A; }', '1:11', 'expected "=" and a number after enum value A, found ";"'],
    ['}', '1:1', 'expected message, enum, service, extend, import, package or option, found "}"'],
  ];
  for (const [text, place, message] of cases) {
    const [error] = loadText(text).problems.errors;
    t.strictSame(
      [error?.code, `${error?.place?.line}:${error?.place?.column}`, error?.message],
      ['proto-syntax', place, message],
      text,
    );
  }
  t.end();
});

void t.test('all syntax errors come together, and what is sound is still read', (t) => {
  const { schema, problems } = loadText(
    methodFile(`option (google.api.http) = {
      get "/a"
      body: "*"
    };
    option deprecated = ;
  }
  rpc N(T) returns (T) {
    option (google.api.http) = { get: "/n" };`).replace(
      'message T {}',
      'message T { int32 a = ; int32 b = 2; message { int32 x = 1; } int32 c = 3; }',
    ),
  );
  t.strictSame(
    problems.errors.map(({ place, rpc }) => [place?.line, place?.column, rpc]),
    [
      [8, 11, 'a.b.S.M'],
      [11, 25, 'a.b.S.M'],
      [17, 23, undefined],
      [17, 46, undefined],
    ],
  );
  t.strictSame(
    schema.services[0]!.methods.map(({ name }) => name),
    ['M', 'N'],
  );
  t.strictSame(
    schema.message('a.b.T')!.fields.map(({ name }) => name),
    ['b', 'c'],
  );
  t.ok(schema.services[0]!.methods[1]!.option('google.api.http'));
  t.end();
});

void t.test('a brace too many is an error, once', (t) => {
  for (const text of ['message M {} }', 'message M {} } message N {}', 'option x = 1; }', '} }']) {
    const { problems } = loadText(`syntax = "proto3"; ${text}`);
    const count = text.split('}').length - text.split('{').length;
    t.equal(problems.errors.length, count, text);
  }
  t.end();
});

void t.test('a flood of errors is cut', (t) => {
  const { problems } = loadText('message M { int32 = 1; }\n'.repeat(500));
  t.equal(problems.errors.filter(({ code }) => code === 'proto-syntax').length, 20);
  t.end();
});

void t.test('depth is bounded', (t) => {
  const nested = (depth: number): string => `syntax = "proto3"; ${'message M {'.repeat(depth)}${'}'.repeat(depth)}`;
  t.strictSame(loadText(nested(32)).problems.errors, []);
  t.match(loadText(nested(100_000)).problems.errors[0]?.message, /messages are nested more than 32 deep/);
  const option = (depth: number): string => `option x = ${'{a'.repeat(depth - 1)}{${'}'.repeat(depth)};`;
  t.strictSame(loadText(`syntax = "proto3"; ${option(100)}`).problems.errors, []);
  t.match(loadText(option(100_000)).problems.errors[0]?.message, /an option is nested more than 100 deep/);
  const lists = `option x = { a: ${'['.repeat(100_000)}`;
  t.equal(loadText(lists).problems.errors[0]?.code, 'proto-syntax');
  const rows: readonly [name: string, text: (depth: number) => string, limit: number, message: RegExp][] = [
    ['option path', (depth) => `option a${'.a'.repeat(depth - 1)} = 1;`, 100, /an option is nested more than 100 deep/],
    [
      'extension path',
      (depth) => `option (x)${'.(x)'.repeat(depth - 1)} = 1;`,
      100,
      /an option is nested more than 100 deep/,
    ],
    [
      'package',
      (depth) => `package a${'.a'.repeat(depth - 1)}; message M { M m = 1; }`,
      100,
      /a name has more than 100 parts/,
    ],
    ['type name', (depth) => `message M { .a${'.a'.repeat(depth - 1)} m = 1; }`, 100, /a name has more than 100 parts/],
    [
      'groups',
      (depth) => `message M { ${'optional group G = 1 {'.repeat(depth - 1)}${'}'.repeat(depth)}`,
      32,
      /nested more than 32 deep/,
    ],
    [
      'angle brackets',
      (depth) => `option x = ${'<a'.repeat(depth - 1)}<${'>'.repeat(depth)};`,
      100,
      /an option is nested more than 100 deep/,
    ],
    [
      'maps',
      (depth) => `message M { ${'map<string, '.repeat(depth - 1)}int32${'>'.repeat(depth - 1)} x = 1; }`,
      2,
      /expected ">"/,
    ],
    [
      'parentheses',
      (depth) => `option ${'('.repeat(depth - 1)}x${')'.repeat(depth - 1)} = 1;`,
      2,
      /expected the name of an option/,
    ],
    ['signs', (depth) => `option x = ${'-'.repeat(depth - 1)}1;`, 2, /expected a value/],
  ];
  for (const [name, text, limit, message] of rows) {
    const errors = (depth: number) =>
      loadText(text(depth))
        .problems.errors.filter(({ code }) => code === 'proto-syntax')
        .map((error) => error.message);
    t.strictSame(errors(limit), [], name);
    t.match(errors(limit + 1)[0], message, name);
    t.match(errors(50_000)[0], message, name);
  }
  t.end();
});

void t.test('hostile text costs linear time', (t) => {
  for (const [name, unit] of lexerLimits) {
    const start = performance.now();
    loadText(unit.repeat(Math.ceil(1_000_000 / unit.length)));
    const milliseconds = performance.now() - start;
    // Quadratic work on a million characters takes minutes.
    t.ok(milliseconds < 10_000, `${name}: ${Math.round(milliseconds)} ms`);
  }
  t.end();
});

const sample = methodFile(
  `option (google.api.http) = { get: "/v1/{a=b/*}:x\\x41" additional_bindings < post: '/c' body: "*" > n: [1, -2.5] };
    option (google.api.http).custom.kind = "X";`,
  'import "google/protobuf/descriptor.proto";',
).concat(`
/* block */ enum E { option allow_alias = true; A = 0; B = 0x0 [deprecated = true]; reserved 5 to max; }
message Big { map<string, Big> m = 1; oneof o { int32 a = 2; } repeated E e = 3 [packed = false, json_name = "x"]; extensions 100 to max; }
extend google.protobuf.FieldOptions { optional Big big = 50001; }
`);

void t.test('no text crashes or hangs it', (t) => {
  const piece = fc.constantFrom(
    ...'{}[]<>()=;:,."\'\\/*-+ \n'.split(''),
    '//',
    '/*',
    '*/',
    'message',
    'option',
    'rpc',
    'stream',
    'returns',
    'map',
    'group',
    'oneof',
    'reserved',
    '1',
    '0x',
    '1e',
    'é',
    '\0',
    '\ud800',
  );
  const mutation = fc.record({ at: fc.nat(sample.length), cut: fc.nat(12), text: fc.array(piece, { maxLength: 4 }) });
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 5 }), (mutations) => {
      let text = sample;
      for (const { at, cut, text: added } of mutations)
        text = text.slice(0, at) + added.join('') + text.slice(at + cut);
      useAll(text);
    }),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => useAll(pieces.join(''))),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => useAll(bytes)),
    { numRuns: 500 },
  );
  t.end();
});

/** Loads it and touches all that came of it. */
function useAll(text: string | Uint8Array): void {
  const { schema } = loadText({ 'test.proto': text });
  for (const service of schema.services) {
    for (const method of service.methods) {
      void [method.comment, method.place, method.option('google.api.http'), method.input.extensions];
      for (const field of method.input.fields)
        void [field.comment, field.behaviors, field.message?.fields, field.enum?.values];
    }
  }
}
