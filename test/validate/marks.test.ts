/** Google's annotations as rules: REQUIRED of `field_behavior`, and the formats of `field_info`. */
import t from 'tap';
import { Codec } from '../../lib/codec/index.js';
import { pathText, Validator } from '../../lib/validate/index.js';
import { Writer } from '../../lib/wire/index.js';
import { schemaFromText } from '../support/schema.js';

const schema = schemaFromText(`
syntax = "proto3";
package m;
import "google/api/field_behavior.proto";
import "google/api/field_info.proto";
import "google/protobuf/field_mask.proto";
import "buf/validate/validate.proto";
enum Color { NONE = 0; RED = 1; }
message Book {
  string title = 1 [(google.api.field_behavior) = REQUIRED];
  string isbn = 2 [(buf.validate.field).string.len = 3];
  Book sequel = 3;
}
message Create { Book book = 1 [(google.api.field_behavior) = REQUIRED]; repeated Book more = 2; map<string, Book> by_name = 3; }
message Update { Book book = 1 [(google.api.field_behavior) = REQUIRED]; google.protobuf.FieldMask update_mask = 2; }
message Forms {
  string text = 1 [(google.api.field_behavior) = REQUIRED];
  bytes data = 2 [(google.api.field_behavior) = REQUIRED];
  Color color = 3 [(google.api.field_behavior) = REQUIRED];
  repeated int32 numbers = 4 [(google.api.field_behavior) = REQUIRED];
  optional bool flag = 5 [(google.api.field_behavior) = REQUIRED];
  int32 size = 6 [(google.api.field_behavior) = REQUIRED];
  string name = 7 [(google.api.field_behavior) = REQUIRED, (google.api.field_behavior) = OUTPUT_ONLY];
  oneof o { string a = 8 [(google.api.field_behavior) = REQUIRED]; string b = 9; }
}
message Formats {
  string id = 1 [(google.api.field_info).format = UUID4];
  optional string v4 = 2 [(google.api.field_info).format = IPV4];
  repeated string v6 = 3 [(google.api.field_info) = { format: IPV6 }];
  string any = 4 [(google.api.field_info).format = IPV4_OR_IPV6];
  int32 number = 5 [(google.api.field_info).format = IPV4];
}
message Free { string x = 1; }
`);

const rows: readonly (readonly [type: string, json: object, ...broken: string[]])[] = [
  ['Create', { book: { title: 'a' } }],
  ['Create', {}, 'book required'],
  ['Create', { book: {} }, 'book.title required'],
  ['Create', { book: { title: 'a', sequel: {} } }, 'book.sequel.title required'],
  [
    'Create',
    { book: { title: 'a' }, more: [{}], byName: { x: {} } },
    'more[0].title required',
    'by_name["x"].title required',
  ],
  ['Update', { book: {} }],
  ['Update', {}, 'book required'],
  ['Forms', {}, 'text required', 'data required', 'color required', 'numbers required', 'flag required'],
  ['Forms', { text: 'a', data: 'aA==', color: 'RED', numbers: [0], flag: false }],
  ['Formats', {}],
  ['Formats', { id: 'F47AC10B-58CC-0372-8567-0E02B2C3D479', v4: '192.0.2.1', v6: ['::1'], any: '::1', number: 1 }],
  ['Formats', { id: 'x' }, 'id field_info.UUID4'],
  ['Formats', { v4: '' }, 'v4 field_info.IPV4'],
  ['Formats', { v6: ['::1', '', '1.2.3.4'] }, 'v6[1] field_info.IPV6', 'v6[2] field_info.IPV6'],
  ['Formats', { any: '1.2.3' }, 'any field_info.IPV4_OR_IPV6'],
];

const marks = { rules: false, required: true, formats: true };

void t.test('what is marked is checked', (t) => {
  const validator = new Validator(schema, Infinity, marks);
  for (const [name, json, ...broken] of rows) {
    const type = schema.message(`m.${name}`)!;
    const out = new Writer();
    new Codec(schema).reader(type)(Buffer.from(JSON.stringify(json)), out);
    const found = validator.checkOf(type)!(out.take());
    const texts = found.map(({ way, id }) => `${pathText(way, (field) => field.name)} ${id}`);
    t.strictSame(texts, broken, `${name} ${JSON.stringify(json)}`);
  }
  t.end();
});

void t.test('each by itself', (t) => {
  const checkOf = (name: string, changed: Partial<typeof marks>): unknown =>
    new Validator(schema, Infinity, { ...marks, ...changed }).checkOf(schema.message(`m.${name}`)!);
  t.equal(checkOf('Free', {}), undefined, 'nothing is marked');
  t.equal(checkOf('Forms', { required: false }), undefined);
  t.equal(checkOf('Formats', { formats: false }), undefined);
  t.equal(checkOf('Create', { required: false }), undefined, 'rules of buf.validate are off');
  t.ok(checkOf('Create', { required: false, rules: true }));
  t.end();
});
