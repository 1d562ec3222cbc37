/** Path templates as data: what they parse to, or what is wrong with them and where. */

export interface TemplateCase {
  readonly template: string;
  readonly shape: string;
  /** The shortest spelling, where it differs from the template. */
  readonly printed?: string;
  /** `name first-last`, and `multi` where the template gives several segments. */
  readonly variables?: readonly string[];
}

export const templateCases: readonly TemplateCase[] = [
  { template: '/', shape: '/' },
  { template: '/v1/shelves', shape: '/v1/shelves' },
  { template: '/*', shape: '/*' },
  { template: '/**', shape: '/**' },
  { template: '/v1/{shelf}', shape: '/v1/*', variables: ['shelf 1-1'] },
  { template: '/v1/{shelf=*}', shape: '/v1/*', printed: '/v1/{shelf}', variables: ['shelf 1-1'] },
  { template: '/{x=**}', shape: '/**', variables: ['x 0-0 multi'] },
  { template: '/{x=a}', shape: '/a', variables: ['x 0-0'] },
  { template: '/{a.b_c.D9=x/*/y/**}', shape: '/x/*/y/**', variables: ['a.b_c.D9 0-3 multi'] },
  { template: '/{a}/{b=*}/**', shape: '/*/*/**', printed: '/{a}/{b}/**', variables: ['a 0-0', 'b 1-1'] },
  { template: '/a/{x=**}/b/{y}/{z=*/c}', shape: '/a/**/b/*/*/c', variables: ['x 1-1 multi', 'y 3-3', 'z 4-5 multi'] },
  { template: '/v1/jobs:cancel', shape: '/v1/jobs:cancel' },
  { template: '/v1/{job=jobs/*}:cancel', shape: '/v1/jobs/*:cancel', variables: ['job 1-2 multi'] },
  { template: '/**:cancel', shape: '/**:cancel' },
  { template: '/a:b:c', shape: '/a:b:c' },
  { template: '/a:b/c', shape: '/a:b/c' },
  { template: '/{x=a:b/c}', shape: '/a:b/c', variables: ['x 0-1 multi'] },
  { template: '/%7Eme/%2f:%67o', shape: '/~me/%2F:go' },
  { template: "/$metadata/OData('x')/@me/a;b=c,d", shape: "/$metadata/OData('x')/@me/a;b=c,d" },
  { template: '/a%20b%0a%00', shape: '/a%20b%0A%00' },
  { template: '/é', shape: '/%C3%A9' },
  { template: '/a=b', shape: '/a=b' },
  { template: '/__proto__/{constructor}', shape: '/__proto__/*', variables: ['constructor 1-1'] },
];

export interface TemplateErrorCase {
  readonly template: string;
  readonly message: string;
  readonly offset: number;
  readonly hint: string;
}

const wholeSegment = 'put slashes round it: /{x}/ rather than /a{x}/; the service can split the value';
const fieldNames =
  'write field names joined by dots: letters, digits and _, no digit first, as in {shelf.display_name}';
const wholeStar = '* and ** stand for whole segments: /a/*';
const between = 'write something between the slashes, or drop one of them';

/** `[template, message, offset, hint]` */
const errors: readonly (readonly [string, string, number, string])[] = [
  ['', 'the template is empty', 0, 'a template starts with a slash: /v1/shelves/{shelf}'],
  ['v1/a', '"v1/a" does not start with a slash', 0, 'write "/v1/a"'],
  ['{x}', '"{x}" does not start with a slash', 0, 'write "/{x}"'],
  [
    'http://host/a',
    '"http://host/a" is a URL, expected a path',
    0,
    'leave scheme and host out: the path starts with a slash',
  ],
  ['/a/', 'the template ends in a slash', 2, 'drop it: a request may end in one nevertheless'],
  ['/a:v/', 'the template ends in a slash', 4, 'drop it: a request may end in one nevertheless'],
  ['//', 'a segment is empty', 1, between],
  ['/a//b', 'a segment is empty', 3, between],
  ['/{x=a/}', 'a segment is empty', 6, between],
  ['/{x=}', 'the variable "x" has no segment after =', 4, 'write {x}, or segments as in {x=shelves/*}'],
  ['/{x=/a}', 'the variable "x" has no segment after =', 4, 'write {x}, or segments as in {x=shelves/*}'],
  ['/a/{x', 'the variable is not closed', 3, 'add the closing brace: {x}'],
  ['/{x/b}', 'the variable is not closed', 1, 'add the closing brace: {x}'],
  ['/{x:go', 'the variable is not closed', 1, 'add the closing brace: {x}'],
  ['/{x=a/*', 'the variable is not closed', 1, 'add the closing brace: {x=a/*}'],
  ['/x}', 'a closing brace without an opening one', 2, 'remove it, or open the variable: {name}'],
  [
    '/{x=a/{y}}',
    'a variable stands inside the variable "x"',
    6,
    'bind the parts one by one: /a/{x}/b/{y}, or the whole as {name=a/*/b/*}',
  ],
  ['/{x{y}', 'a variable stands inside the name of another', 3, 'close the first with } before it'],
  ['/a{x}', 'a variable is not a whole segment', 1, wholeSegment],
  ['/{x}a', 'a variable is not a whole segment', 1, wholeSegment],
  ['/{x}{y}', 'a variable is not a whole segment', 1, wholeSegment],
  ['/b/{x}-{y}', 'a variable is not a whole segment', 3, wholeSegment],
  ['/{x=a}}', 'a variable is not a whole segment', 1, wholeSegment],
  ['/{}', 'the variable has no name', 2, 'name a field of the request: {shelf}'],
  ['/{=*}', 'the variable has no name', 2, 'name a field of the request: {shelf}'],
  ['/{a..b}', 'an empty name in the field path "a..b" is not a field name', 4, fieldNames],
  ['/{a.}', 'an empty name in the field path "a." is not a field name', 4, fieldNames],
  ['/{1a}', '"1a" in the field path "1a" is not a field name', 2, fieldNames],
  ['/{a.b-c}', '"b-c" in the field path "a.b-c" is not a field name', 4, fieldNames],
  ['/{ a}', '" a" in the field path " a" is not a field name', 2, fieldNames],
  ['/{*}', '"*" in the field path "*" is not a field name', 2, fieldNames],
  ['/{a}/{a=**}', 'the variable "a" stands twice', 5, 'bind each field once'],
  ['/**/a/**', '** stands twice', 6, 'a template holds one ** at most; use * for a single segment'],
  ['/{a=**}/{b=**}', '** stands twice', 11, 'a template holds one ** at most; use * for a single segment'],
  ['/a:', 'the verb after the colon is empty', 2, 'write a verb, as in :cancel, or drop the colon'],
  ['/{a}:', 'the verb after the colon is empty', 4, 'write a verb, as in :cancel, or drop the colon'],
  ['/:v', 'verb ":v" follows no segment', 1, 'put a segment before the verb: /v1/jobs:cancel'],
  ['/a/:v', 'the verb follows a slash', 3, 'put it right behind a segment: /v1/jobs:cancel'],
  ['/{x=a:v}', 'a verb stands inside the variable "x"', 5, 'write the verb after the closing brace: {x=…}:v'],
  ['/{x=**:v}', 'a verb stands inside the variable "x"', 6, 'write the verb after the closing brace: {x=…}:v'],
  ['/a?b={c}', 'a variable is not a whole segment', 1, wholeSegment],
  [
    '/a?b=c',
    'a query or fragment in the segment "a?b=c"',
    2,
    'leave it out: fields that the path does not bind are query parameters anyway',
  ],
  [
    '/a#b',
    'a query or fragment in the segment "a#b"',
    2,
    'leave it out: fields that the path does not bind are query parameters anyway',
  ],
  ['/a b', 'white space or a control character in the segment "a b"', 2, 'remove it, or percent-encode it: %20'],
  ['/a:b ', 'white space or a control character in the verb "b "', 4, 'remove it, or percent-encode it: %20'],
  [
    '/a\n',
    String.raw`white space or a control character in the segment "a\n"`,
    2,
    'remove it, or percent-encode it: %20',
  ],
  ['/a*', 'a * that is not a whole segment in the segment "a*"', 2, wholeStar],
  ['/***', 'a * that is not a whole segment in the segment "***"', 1, wholeStar],
  ['/a:*', 'a * that is not a whole segment in the verb "*"', 3, wholeStar],
  [
    '/a/%zz',
    '"%zz" in the segment "%zz" is not a percent-escape',
    3,
    'write two hex digits after %, or %25 for a literal %',
  ],
  ...[
    ['/%4g', '%4g', '%4g', 1],
    ['/%g4', '%g4', '%g4', 1],
    ['/%41%zz', '%zz', '%41%zz', 4],
  ].map(
    ([template, escape, segment, offset]) =>
      [
        template as string,
        `"${escape}" in the segment "${segment}" is not a percent-escape`,
        offset as number,
        'write two hex digits after %, or %25 for a literal %',
      ] as const,
  ),
  [
    '/100%',
    '"%" in the segment "100%" is not a percent-escape',
    4,
    'write two hex digits after %, or %25 for a literal %',
  ],
  [`/${'a'.repeat(4096)}`, 'the template has 4097 characters, at most 4096 are allowed', 4096, 'shorten it'],
];

export const templateErrorCases: readonly TemplateErrorCase[] = errors.map(([template, message, offset, hint]) => ({
  template,
  message,
  offset,
  hint,
}));
