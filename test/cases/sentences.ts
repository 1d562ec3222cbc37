/**
 * Sections 2 and 3 of docs/semantics.md, sentence by sentence, over the schema of `values.ts`: what `values.ts` does not
 * have already, and the options.
 */
import type { Options } from '../../lib/config/index.js';
import { bad, badPost, form, good, json, post, type ValueCase } from './values.js';

/** Rows that hold with some options. */
export interface OptionCases {
  readonly name: string;
  readonly options: Partial<Options>;
  readonly rows: readonly ValueCase[];
}

const enc = encodeURIComponent;
const line = (lineNumber: number, column: number): string => `line ${lineNumber}, column ${column}`;

const pathRows: readonly ValueCase[] = [
  good('GET /get/%2F%3F%23%25%2B', { name: '/?#%+' }),
  good('GET /get/a+b%20c', { name: 'a+b c' }),
  good('GET /get/x:cancel', { name: 'x:cancel' }),
  good('GET /deep/%2F/%2f%25%3F', { path: '%2F/%2f%?' }),
  good('GET /get/%F0%9F%98%80', { name: '😀' }),
  bad('GET /get/%ED%A0%80', 'UTF-8', ['name']),
  bad('GET /get/%C0%AF', 'UTF-8', ['name']),
  bad('GET /get/%', 'is not a percent-escape', ['name']),
  bad('GET /get/%2', 'is not a percent-escape', ['name']),
  bad('GET /get/%u0041', 'is not a percent-escape', ['name']),
  bad('GET /none/%zz', 'no route', undefined, { status: 404 }),
  good('GET /number/%2B0', { i64: '0' }, { status: 400, error: 'i64' }),
  good('GET /number/007', { i64: '7' }),
  good('GET /time/2026-01-31T10:00:00%2B09:00', { time: '2026-01-31T01:00:00Z' }),
  good('GET /time/2026-01-31T10:00:00+09:00', { time: '2026-01-31T01:00:00Z' }),
];

const nameRows: readonly ValueCase[] = [
  good('GET /get?%6eame=x', { name: 'x' }),
  good('GET /get?custom%5Fname=x', { other: 'x' }),
  good('GET /get?customName=x', undefined, { status: 400, error: 'did you mean "custom_name"?' }),
  good('GET /get?by_id[7].id=a&byId[8].id=b', { byId: { 7: { id: 'a' }, 8: { id: 'b' } } }),
  good('GET /get?inner.inner.inner.inner.id=x', { inner: { inner: { inner: { inner: { id: 'x' } } } } }),
  good('GET /get?third.inner.tags=a&third.inner.tags=b&third.count=1', {
    third: { count: 1, inner: { tags: ['a', 'b'] } },
  }),
  good('GET /get?items[0].inner.tags=a&items[0].tags=b&items[0].inner.tags=c', {
    items: [{ inner: { tags: ['a', 'c'] }, tags: ['b'] }],
  }),
  good(`GET /get?${Array.from({ length: 12 }, (_, index) => `items[${11 - index}].count=${12 - index}`).join('&')}`, {
    items: Array.from({ length: 12 }, (_, index) => ({ count: index + 1 })),
  }),
  good('GET /get?labels[]=v&labels.=w', undefined, { status: 400, error: 'given more than once' }),
  good('GET /get?labels[]=v', { labels: { '': 'v' } }),
  good('GET /get?labels[a.b]=1&labels.c.d=2&labels[e[0]]=3&labels.[f]=4', {
    labels: { 'a.b': '1', 'c.d': '2', 'e[0]': '3', '[f]': '4' },
  }),
  good('GET /get?labels[constructor]=1&labels[toString]=2', { labels: { constructor: '1', toString: '2' } }),
  good('GET /get?labels.a%26b%3Dc+d=%3D%26', { labels: { 'a&b=c d': '=&' } }),
  good('GET /get?labels.a=b=c', { labels: { a: 'b=c' } }),
  good('GET /get?labels.%E2%82%AC=%F0%9F%98%80', { labels: { '€': '😀' } }),
  good('GET /get?by_id[-1].id=a&by_id[2147483647].id=b', { byId: { '-1': { id: 'a' }, 2147483647: { id: 'b' } } }),
  good('GET /get?by_id[1].inner.id=a&by_id[1].tags=t', { byId: { 1: { inner: { id: 'a' }, tags: ['t'] } } }),
  bad('GET /get?by_id[1].id=a&by_id[01].id=b', 'given more than once', ['by_id[01].id']),
  bad('GET /get?by_id[1]id=a', 'is a map', ['by_id[1]id']),
  bad('GET /get?by_id.1.id=a', 'is a map; write by_id[KEY].FIELD=', ['by_id.1.id']),
  bad('GET /get?by_id[2147483648].id=a', 'key "2147483648"', ['by_id[2147483648].id']),
  bad('GET /get?by_id[1].id=a&by_id[1].id=b', 'given more than once', ['by_id[1].id']),
  bad('GET /get?labels[a]x=v', 'is a map', ['labels[a]x']),
  bad('GET /get?labels[a=v', 'is a map', ['labels[a']),
  bad('GET /get?labelsa=v', 'unknown query parameter, did you mean "labels"', ['labelsa']),
  bad('GET /get?items[0].id=a&items[0].id=b', 'given more than once', ['items[0].id']),
  bad('GET /get?items[0].id=a&items[2].id=b', 'element 1 is missing', ['items']),
  bad('GET /get?items[-1].id=a', 'items[0]', ['items[-1].id']),
  bad('GET /get?items[0]=a', 'items[0]', ['items[0]']),
  bad('GET /get?items[].id=a', 'items[0]', ['items[].id']),
  bad('GET /get?items[4294967296].id=a', 'items[0]', ['items[4294967296].id']),
  bad('GET /get?items=a', 'is a message', ['items']),
  bad('GET /get?inner[0].id=a', 'neither a list nor a map', ['inner[0].id']),
  bad('GET /get?name.x=a', 'has no fields', ['name.x']),
  bad('GET /get?time.seconds=1', 'has no fields', ['time.seconds']),
  bad('GET /get?wrapped.value=1', 'has no fields', ['wrapped.value']),
  bad('GET /get?mask.paths=a', 'has no fields', ['mask.paths']),
  bad('GET /get?inner.hasOwnProperty=x', 'no field "hasOwnProperty"', ['inner.hasOwnProperty']),
  bad('GET /get?inner.__proto__.id=x', 'no field "__proto__"', ['inner.__proto__.id']),
  bad('GET /get?prototype=x&valueOf=y', 'unknown query parameter', ['prototype', 'valueOf']),
  bad(`GET /get?${'inner.'.repeat(101)}id=x`, 'nested more than 100 deep'),
  bad('GET /get?NAME=x', 'did you mean "name"', ['NAME']),
  bad('GET /get?%zz=x', 'is not a percent-escape', ['%zz']),
  bad('GET /get?%ff=x', 'UTF-8', ['%ff']),
  bad('GET /get?texts=a&texts=%', 'is not a percent-escape', ['texts']),
  bad('GET /get?third.id=a&third.inner.id=b&first=c', '"third.id" is given too', ['first']),
  bad('GET /get?first=a&third.inner.id=b', '"first" is given too', ['third.inner.id']),
  bad('GET /get?items[0].id=a&items[1].inner.inner.id=b&items[2].id=c&items[2].id=d', 'more than once', [
    'items[2].id',
  ]),
  bad('GET /get?.name=x', 'the name of a field is missing in ".name"', ['.name']),
  bad('GET /get?inner.=x', 'the name of a field is missing in "inner."', ['inner.']),
  bad('GET /get?inner..id=x', 'the name of a field is missing in "inner..id"', ['inner..id']),
  bad('GET /get?[no.such]=x', 'unknown query parameter', ['[no.such]']),
  bad('GET /get?inner.[no.such]=x', 'no field "[no.such]" in values.v1.Inner', ['inner.[no.such]']),
  bad('GET /get?inner[id]=x', 'neither a list nor a map', ['inner[id]']),
  bad('GET /get?texts[]=x', 'give "texts" once for each element', ['texts[]']),
  bad('GET /get?items[0].tags[1]=x', 'give "tags" once for each element', ['items[0].tags[1]']),
  bad('GET /get?second=1&third.id=a', 'oneof "choice"', ['third.id']),
];

const valueRows: readonly ValueCase[] = [
  good('GET /get?i32=2147483647&i64=-9223372036854775808&u64=0', { i32: 2147483647, i64: '-9223372036854775808' }),
  good('GET /get?i64=9007199254740993', { i64: '9007199254740993' }),
  good('GET /get?i32=-0&i64=00', {}),
  ...['-2147483649', '1e3', '+1', '1_000', '0b1', ' 1', '1 ', '１', 'NaN', '9'.repeat(400)].map((text) =>
    bad(`GET /get?i32=${enc(text)}`, 'i32', ['i32']),
  ),
  ...['-1', '18446744073709551616', '-0.0'].map((text) => bad(`GET /get?u64=${text}`, 'u64', ['u64'])),
  ...['9223372036854775808', '-9223372036854775809'].map((text) => bad(`GET /get?i64=${text}`, 'i64', ['i64'])),
  good('GET /get?number=-1.5E-3&small=3.4028235e38', { number: -0.0015, small: 3.4028235e38 }),
  good('GET /get?number=Infinity&small=NaN', { number: 'Infinity', small: 'NaN' }),
  ...['1e400', 'inf', 'nan', 'INFINITY', '.5', '5.', '0x1p3', '+1', ''].map((text) =>
    bad(`GET /get?number=${enc(text)}`, 'number', ['number']),
  ),
  bad('GET /get?small=3.5e38', 'small', ['small']),
  good('GET /get?data=', {}),
  ...[
    ['AA', 'AA=='],
    ['AA==', 'AA=='],
    ['AAA', 'AAA='],
    ['AAA=', 'AAA='],
    ['-_+/', '+/+/'],
    ['%2B%2F', '+w=='],
    ['++', '+w=='],
  ].map(([text, data]) => good(`GET /get?data=${text}`, { data })),
  ...['A', 'AA=', 'AAA==', 'AAAA=', 'AA===', 'A=A=', 'AA!=', '='].map((text) =>
    bad(`GET /get?data=${enc(text)}`, 'data', ['data']),
  ),
  good('GET /get?color=-1', { color: -1 }),
  ...['2147483648', '1.5', 'Blue', 'BLUE ', 'values.v1.BLUE'].map((text) =>
    bad(`GET /get?color=${enc(text)}`, 'color', ['color']),
  ),
  good('GET /get?time=2026-01-31T10:00:00.123456789Z', { time: '2026-01-31T10:00:00.123456789Z' }),
  good('GET /get?time=2026-01-31T10:00:00%2B09:00', { time: '2026-01-31T01:00:00Z' }),
  good('GET /get?times=2026-01-31T10:00:00+09:00&times=2026-01-31T10:00:00-08:00', {
    times: ['2026-01-31T01:00:00Z', '2026-01-31T18:00:00Z'],
  }),
  ...['2026-02-30T10:00:00Z', '2026-01-31T10:00:00', '2026-01-31 10:00:00Z', '0000-01-01T00:00:00Z', '1', ''].map(
    (text) => bad(`GET /get?time=${enc(text)}`, 'time', ['time']),
  ),
  good('GET /get?wait=-0.000000001s', { wait: '-0.000000001s' }),
  ...['1', '1.s', '315576000001s', '1.0000000001s', ''].map((text) => bad(`GET /get?wait=${text}`, 'wait', ['wait'])),
  good('GET /get?mask=', { mask: '' }),
  good('GET /get?mask=foo_bar,bazQux.a_b', { mask: 'fooBar,bazQux.aB' }),
  ...['a,,b', ',a', 'a,', 'a, b'].map((text) => bad(`GET /get?mask=${enc(text)}`, 'mask', ['mask'])),
  good('GET /get?big=', undefined, { status: 400, error: 'big' }),
  good('GET /get?big=-1&wrapped=true', { big: '-1', wrapped: 'true' }),
  good(`GET /get?struct=${enc('{"a":{"b":[true,null,1.5,"x"]}}')}`, { struct: { a: { b: [true, null, 1.5, 'x'] } } }),
  good('GET /get?value=null', { value: null }),
  good('GET /get?value=7', { value: 7 }),
  good(`GET /get?value=${enc('[1]')}`, { value: [1] }),
  ...['', '[1]', '{"a":1', '{"a":1,"a":2}', '{"a":1} x'].map((text) =>
    bad(`GET /get?struct=${enc(text)}`, 'struct', ['struct']),
  ),
  ...['', 'x', '"x'].map((text) => bad(`GET /get?value=${enc(text)}`, 'value', ['value'])),
  bad(`GET /get?value=${'['.repeat(101)}${']'.repeat(101)}`, 'nested deeper than 100', ['value']),
  good('GET /get?flag&maybe&texts&texts', { flag: true, maybe: '', texts: ['', ''] }),
  ...['1', '0', 'True', 'yes', 'on'].map((text) => bad(`GET /get?flag=${text}`, 'flag', ['flag'])),
  ...['i32', 'i64', 'number', 'color', 'time', 'wait', 'big', 'struct'].map((name) =>
    bad(`GET /get?${name}`, name, [name]),
  ),
  bad('GET /get?flag&flag', 'given more than once', ['flag']),
  bad('GET /get?value=1&value=2', 'given more than once', ['value']),
];

const reservedRows: readonly ValueCase[] = [
  bad('GET /nested/7?inner=x', '"inner" is a message', ['inner']),
  bad('GET /time/2026-01-31T10:00:00Z?time=2026-01-31T10:00:00Z', 'given by the path', ['time']),
  bad('POST /inner?inner.inner.id=1', 'given by the body', ['inner.inner.id'], { body: '{}' }),
  bad('POST /inner?inner=1', '"inner" is a message', ['inner'], { body: '{}' }),
  bad('POST /deeper?inner.inner.id=1', 'given by the body', ['inner.inner.id'], { body: '{}' }),
  bad('POST /deeper?inner.inner.tags=1', 'given by the body', ['inner.inner.tags'], { body: '{}' }),
  bad('POST /list?texts=1', 'given by the body', ['texts'], { body: '[]' }),
  bad('POST /post?i32=1', 'takes everything from the body', ['i32'], { body: '{}' }),
  bad('POST /post/x?name=x', 'takes everything from the body', ['name'], { body: '{}' }),
  bad('POST /post?nope', 'takes everything from the body', ['nope'], { body: '{}' }),
];

const jsonRows: readonly ValueCase[] = [
  ...[
    'application/json',
    'APPLICATION/JSON',
    'application/json ; charset="utf8"',
    'application/problem+json',
    'text/x+json;a=b',
  ].map((type) => post('/post', '{"name":"x"}', { name: 'x' }, { headers: { 'content-type': type } })),
  ...['[]', '"x"', ' \r\n\t[', '{'].map((text) => badPost('/post', text, 'line ', undefined, { headers: form })),
  post('/post', 'name=%7B&texts={', { name: '{', texts: ['{'] }, { headers: form }),
  post('/post', ' \n', {}, { headers: form }),
  post('/post', '\ufeff', {}, { headers: json }),
  post('/post', 'name=a%0Ab&texts=\r\n', { name: 'a\nb', texts: [''] }, { headers: form }),
  badPost('/post', 'name=x', line(1, 1), undefined),
  badPost('/post', 'name=x', line(1, 1), undefined, { headers: json }),
  ...[
    'text/plain',
    'application/xml',
    'application/jsonp',
    'json',
    'application/x-www-form-urlencodedx',
    'multipart/mixed; boundary=x',
  ].map((type) =>
    badPost('/post', '{}', 'send one of: application/json', undefined, {
      headers: { 'content-type': type },
      status: 415,
    }),
  ),
  ...[
    'application/json; charset=latin1',
    'application/x-www-form-urlencoded; charset=iso-8859-1',
    'application/x-protobuf; charset=utf-16',
  ].map((type) => badPost('/post', '{}', 'send UTF-8', undefined, { headers: { 'content-type': type }, status: 415 })),
  post('/inner', 'inner.id=x&tags=a&tags=b', { inner: { tags: ['a', 'b'], inner: { id: 'x' } } }, { headers: form }),
  badPost('/inner', 'name=x', 'unknown form field', ['name'], { headers: form }),
  post('/inner', '', {}, { headers: form }),
  post('/list', 'null', {}),
  post('/list', ' \n', {}),
  badPost('/list', '{}', 'expected an array'),
  badPost('/list', '[null]', 'expected a string', ['texts[0]']),
  badPost('/post', 'null', `found null, expected an object (values.v1.All) (${line(1, 1)})`),
  post('/post', '{"value":null,"struct":null,"inner":null,"texts":null,"wrapped":null}', {
    value: null,
  }),
  badPost('/post', '{"name":"x"}\n\n }', line(3, 2)),
  badPost('/post', '{"name":"x"}{}', line(1, 13)),
  badPost('/post', '{"name":"x",\n"é": 1,\n"name":"y"}', 'is given twice'),
  badPost('/post', '{"inner":{"id":"x",\n"id":"y"}}', `"id" is given twice; write it once (${line(2, 1)})`, [
    'inner.id',
  ]),
  badPost('/post', '{"custom_name":"x","other":"y"}', '"other" is given twice', ['other']),
  badPost('/post', '{"labels":{"a":"1",\n "a":"2"}}', `(${line(2, 2)})`, ['labels["a"]']),
  badPost('/post', '{"by_id":{"1":{},"01":{}}}', 'by_id'),
  badPost('/post', '{"struct":{"a":1,"a":2}}', 'given twice'),
  badPost('/post', Buffer.from('{"name":\n"é\xff"}', 'latin1'), line(2, 2)),
  badPost('/post', '{"name":"\\ud83d"}', line(1, 10)),
  badPost('/post', '{"name":"\\ude00\\ud83d"}', 'surrogate'),
  post('/post', '{"name":"\\ud83d\\ude00"}', { name: '😀' }),
  badPost('/post', Buffer.from('{"name":"\xed\xa0\x80"}', 'latin1'), 'not UTF-8'),
  post('/post', `{"value":${'['.repeat(99)}${']'.repeat(99)}}`, {
    value: JSON.parse('['.repeat(99) + ']'.repeat(99)) as unknown,
  }),
  badPost('/post', `{"value":\n${'['.repeat(100)}${']'.repeat(100)}}`, line(2, 100)),
  ...[
    "{'name':1}",
    '{name:1}',
    '{"name":"x",}',
    '{"i32":01}',
    '{"i32":1.}',
    '{"name":"\t"}',
    '{"flag":True}',
    '{"name":"x"/**/}',
    '[',
    '{"a"',
  ].map((text) => badPost('/post', text, 'line 1, column')),
  badPost('/post', '{"inner":{"idd":1}}', 'values.v1.Inner has no field "idd"; did you mean "id"?', ['inner.idd']),
  badPost('/post', '{"items":[{},{"inner":{"cuont":1}}]}', 'did you mean "count"?', ['items[1].inner.cuont']),
  badPost('/post', '{"byId":{"7":{"x":1}}}', 'its fields are', ['byId["7"].x']),
  badPost('/post', '{"__proto__":{"name":"x"},"constructor":1}', 'has no field', ['__proto__', 'constructor']),
  badPost('/post', '{"color":"GREEN","data":"A","data2":"A"}', 'GREEN', ['color', 'data', 'data2']),
  post('/post', '{"i64":-9223372036854775808,"u64":18446744073709551615,"big":9007199254740993}', {
    i64: '-9223372036854775808',
    u64: '18446744073709551615',
    big: '9007199254740993',
  }),
  ...['A', 'AA=', 'AAA==', 'AAAA='].map((text) => badPost('/post', `{"data":"${text}"}`, 'padding', ['data'])),
  badPost('/post', '{"mask":"foo_bar"}', 'lowerCamelCase', ['mask']),
  badPost('/inner', '""', 'expected an object', ['inner']),
  badPost('/post', '{"first":"a","second":1}', 'oneof choice', ['second']),
  ...['x', '[]', '{"name":1}', 'null', '{} {}'].map((body) => ({
    ...badPost('/get', body, 'GET /get takes no body', ['body']),
    request: 'GET /get',
  })),
  ...['', '{}', ' {\n} ', '\t'].map((body) => ({ ...post('/get', body, {}), request: 'GET /get' })),
];

/** Rows that hold without options. */
export const sentenceCases = { pathRows, nameRows, valueRows, reservedRows, jsonRows };

export const optionCases: readonly OptionCases[] = [
  {
    name: 'bracket_query',
    options: { bracketQuery: true },
    rows: [
      good('GET /get?inner[id]=a&inner[inner][inner][id]=b&inner[inner].count=1&inner.inner[tags]=t', {
        inner: { id: 'a', inner: { count: 1, tags: ['t'], inner: { id: 'b' } } },
      }),
      good('GET /get?texts[]=a&texts[]=b&texts=c', { texts: ['a', 'b', 'c'] }),
      good('GET /get?texts[2]=c&texts[0]=a&texts[1]=b', { texts: ['a', 'b', 'c'] }),
      good('GET /get?texts%5B%5D=a&inner%5Btags%5D%5B%5D=b', { texts: ['a'], inner: { tags: ['b'] } }),
      good(
        'GET /get?ints[10]=11&ints[9]=10&ints[8]=9&ints[7]=8&ints[6]=7&ints[5]=6&ints[4]=5&ints[3]=4&ints[2]=3&ints[1]=2&ints[0]=1',
        {
          ints: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        },
      ),
      good('GET /get?items[0][id]=a&items[1][inner][id]=b&items[1].count=2&items[0][tags][]=t&items[0][tags][]=u', {
        items: [
          { id: 'a', tags: ['t', 'u'] },
          { count: 2, inner: { id: 'b' } },
        ],
      }),
      good('GET /get?items[1][tags][1]=d&items[1][tags][0]=c&items[0][tags][0]=a', {
        items: [{ tags: ['a'] }, { tags: ['c', 'd'] }],
      }),
      good('GET /get?labels[a]=1&labels[b[0]]=2&labels.c=3&labels[]=4', {
        labels: { a: '1', 'b[0]': '2', c: '3', '': '4' },
      }),
      good('GET /get?by_id[7][id]=a&by_id[7][inner][id]=b&by_id[8].id=c', {
        byId: { 7: { id: 'a', inner: { id: 'b' } }, 8: { id: 'c' } },
      }),
      good('GET /get?times[0]=2026-01-31T10:00:00+09:00&times[1]=2026-01-31T10:00:00Z', {
        times: ['2026-01-31T01:00:00Z', '2026-01-31T10:00:00Z'],
      }),
      good('GET /get?third[id]=a&third[inner][id]=b', { third: { id: 'a', inner: { id: 'b' } } }),
      bad('GET /get?inner[ID]=a', 'did you mean "id"', ['inner[ID]']),
      bad('GET /get?inner[]=a', 'the name of a field is missing', ['inner[]']),
      bad('GET /get?inner[id=a', 'neither a list nor a map', ['inner[id']),
      bad('GET /get?inner[id]x=a', 'has no fields', ['inner[id]x']),
      bad('GET /get?name[0]=a', '"name" has no fields', ['name[0]']),
      bad('GET /get?name[]=a', '"name" has no fields', ['name[]']),
      bad('GET /get?texts[a]=b', 'texts', ['texts[a]']),
      bad('GET /get?texts[01]=b', 'texts', ['texts[01]']),
      bad('GET /get?texts[0]x=b', 'texts', ['texts[0]x']),
      bad('GET /get?texts[0]=a&texts[2]=c', 'element 1 is missing', ['texts']),
      bad('GET /get?items[0][tags][0]=a&items[0][tags][2]=c', 'element 1 is missing', ['items[0][tags]']),
      bad('GET /get?texts[0]=a&texts[0]=b', 'more than once', ['texts[0]']),
      bad('GET /get?texts[0]=a&texts[]=b', 'write all in one way', ['texts[]']),
      bad('GET /get?texts=a&texts[0]=b', 'write all in one way', ['texts[0]']),
      bad('GET /get?inner[id]=a&inner.id=b', 'also as "inner[id]"', ['inner.id']),
      bad('GET /get?third[id]=a&first=b', '"third[id]" is given too', ['first']),
      bad('GET /nested/x?inner[id]=a', 'is given by the path', ['inner[id]']),
      bad('GET /get?items[][id]=a', 'write items[0].…', ['items[][id]']),
      bad('GET /get?items[1][id]=a', 'element 0 is missing', ['items']),
      bad('GET /get?by_id[7]id=a', 'is a map', ['by_id[7]id']),
    ],
  },
  {
    name: 'comma_lists',
    options: { commaLists: true },
    rows: [
      good('GET /get?texts=a,b&texts=c', { texts: ['a', 'b', 'c'] }),
      good('GET /get?ints=1,2,3', { ints: [1, 2, 3] }),
      good('GET /get?texts=a%2Cb', { texts: ['a', 'b'] }),
      good('GET /get?name=a,b', { name: 'a,b' }),
      good('GET /get?inner.tags=a,b', { inner: { tags: ['a', 'b'] } }),
      good('GET /get?colors=RED,2', { colors: ['RED', 'BLUE'] }),
      bad('GET /get?ints=1,,2', 'ints', ['ints']),
    ],
  },
  {
    name: 'lenient_bools',
    options: { lenientBools: true },
    rows: [
      ...['1', 'TRUE', 'True'].map((text) => good(`GET /get?flag=${text}`, { flag: true })),
      ...['0', 'False'].map((text) => good(`GET /get?flag=${text}`, {})),
      bad('GET /get?flag=yes', 'flag', ['flag']),
    ],
  },
  {
    name: 'case_insensitive_enums',
    options: { caseInsensitiveEnums: true },
    rows: [good('GET /get?color=blue&colors=Red', { color: 'BLUE', colors: ['RED'] })],
  },
  {
    name: 'literal_plus',
    options: { literalPlus: true },
    rows: [
      good('GET /get?name=a+b%20c', { name: 'a+b c' }),
      good('GET /get?data=++', { data: '+w==' }),
      good('GET /get?time=2026-01-31T10:00:00+09:00', { time: '2026-01-31T01:00:00Z' }),
    ],
  },
  {
    name: 'ignore_query',
    options: { ignoreQuery: ['utm_', 'fb*', 'exact'] },
    rows: [
      good('GET /get?utm_source=a&utm_=b&fb=c&fbclid=%zz&exact=d&name=n&exact=e', { name: 'n' }),
      good('POST /post?utm_source=a', { name: 'n' }, { body: '{"name":"n"}' }),
      good('GET /get?utm%5Fx=1', {}),
      bad('GET /get?utm=a&exactly=b&xfb=c', 'unknown query parameter', ['utm', 'exactly', 'xfb']),
    ],
  },
  {
    name: 'ignore_unknown_query',
    options: { ignoreUnknownQuery: true },
    rows: [
      good('GET /get?nope=1&inner.nope=2&__proto__=3&=4&name=n', { name: 'n' }),
      good('POST /post?name=x', {}, { body: '{}' }),
      bad('GET /get?inner=x', 'is a message', ['inner']),
      bad('GET /get?i32=x', 'i32', ['i32']),
      bad('GET /get/x?name=y', 'given by the path', ['name']),
      bad('GET /get?name=a&name=b', 'given more than once', ['name']),
    ],
  },
  {
    name: 'ignore_unknown_fields',
    options: { ignoreUnknownFields: true },
    rows: [
      post('/post', '{"nope":{"a":[1]},"inner":{"x":1},"color":"GREEN","colors":["RED","GREEN","BLUE"]}', {
        inner: {},
        colors: ['RED', 'BLUE'],
      }),
      badPost('/post', '{"nope":[1,}', 'line 1'),
      badPost('/post', '{"i32":"x"}', 'i32', ['i32']),
      bad('GET /get?color=GREEN', 'GREEN', ['color']),
    ],
  },
  {
    name: 'ignore_unexpected_body',
    options: { ignoreUnexpectedBody: true },
    rows: ['x', '{"name":"x"}', '\xff'].map((body) => ({
      ...post('/get', body, {}, { headers: { 'content-type': 'text/xml', 'content-encoding': 'zstd' } }),
      request: 'GET /get',
    })),
  },
  {
    name: 'overwrite_path_fields',
    options: { overwritePathFields: true },
    rows: [
      post('/post/x', '{"name":"y","i32":1}', { name: 'x', i32: 1 }),
      post('/post/inner/7', '{"inner":{"id":"8","count":1}}', { inner: { id: '7', count: 1 } }),
    ],
  },
  {
    name: 'max_json_depth',
    options: { maxJsonDepth: 3 },
    rows: [
      post('/post', '{"inner":{"inner":{}}}', { inner: { inner: {} } }),
      badPost('/post', '{"inner":{"inner":{"inner":{}}}}', 'nested deeper than 3 levels'),
      good('GET /get?inner.inner.id=x', { inner: { inner: { id: 'x' } } }),
      bad('GET /get?inner.inner.inner.id=x', 'nested more than 3 deep'),
    ],
  },
];
