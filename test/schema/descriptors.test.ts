/**
 * What descriptors say. The fixtures are read as text and from a descriptor set that protoc wrote:
 * `protoc -I . -I ../../../annotations --include_imports --include_source_info -o everything.binpb shop/v1/*.proto`
 * in test/schema/fixtures (protoc 36.2). protobuf-es, which shares no code with us, says what the fields are.
 */
import { createFileRegistry, fromBinary, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  loadSchema,
  type FieldDescriptor,
  type MessageDescriptor,
  type OptionValue,
  type Schema,
  type SchemaSources,
} from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';
import { annotationsRoot, schemaFromText } from '../support/schema.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

function load(sources: Partial<SchemaSources>): Schema {
  const problems = new ProblemList();
  const defaults = { protos: [], protoPaths: [], descriptorSets: [], workingDirectory: fixtures, annotationsRoot };
  const schema = loadSchema({ ...defaults, ...sources }, problems);
  problems.throwIfAny();
  return schema;
}

const text = load({ protos: ['shop/v1/old.proto', 'shop/v1/new.proto', 'shop/v1/edition.proto'], protoPaths: ['.'] });
const set = load({ descriptorSets: ['everything.binpb'] });
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(`${fixtures}/everything.binpb`)));
const messageNames = [...registry].filter(({ kind }) => kind === 'message').map(({ typeName }) => typeName);
const enumNames = [...registry].filter(({ kind }) => kind === 'enum').map(({ typeName }) => typeName);

function plain(value: OptionValue): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'object' && 'fields' in value
    ? value.fields.map((field) => [field.name, plain(field.value)])
    : value;
}

/** Everything about a field, other descriptors by name. */
function fieldData(field: FieldDescriptor): unknown {
  const { fullName, name, jsonName, number, type, repeated, hasPresence, required, packed, delimited } = field;
  const { validateUtf8, isExtension, behaviors, comment, deprecated, parent, message, oneof, map, place } = field;
  return {
    ...{ fullName, name, jsonName, number, type, repeated, hasPresence, required, packed, delimited },
    ...{ validateUtf8, isExtension, behaviors, comment, deprecated },
    parent: parent.fullName,
    message: message?.fullName,
    enum: field.enum?.fullName,
    oneof: oneof?.fullName,
    place: [place.line, place.column],
    map: map && [map.key, map.value].map((part) => [part.type, part.number, part.message?.fullName, part.delimited]),
  };
}

function messageData(message: MessageDescriptor): unknown {
  const { fullName, name, place, comment, deprecated, fields, oneofs, extensions } = message;
  return {
    head: { fullName, name, line: place.line, column: place.column, comment, deprecated },
    fields: fields.map(fieldData),
    oneofs: oneofs.map((oneof) => [
      oneof.fullName,
      oneof.comment,
      oneof.place.line,
      oneof.fields.map((field) => field.name),
    ]),
    // In the order of the files, which the two sources need not share.
    extensions: extensions.map(fieldData).sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
  };
}

void t.test('text and the descriptor set that protoc made of it are one schema', (t) => {
  t.ok(messageNames.includes('shop.v1.Old.Part') && enumNames.includes('shop.v1.Item.Color'));
  for (const name of messageNames) {
    t.strictSame(messageData(text.message(name)!), messageData(set.message(name)!), name);
  }
  for (const name of enumNames) {
    const data = ({ fullName, closed, comment, place, values }: NonNullable<ReturnType<Schema['enum']>>): unknown => [
      fullName,
      closed,
      comment,
      place.line,
      values.map((value) => [value.name, value.number, value.comment, value.deprecated]),
    ];
    t.strictSame(data(text.enum(name)!), data(set.enum(name)!), name);
  }
  const services = (schema: Schema): unknown =>
    schema.services.map((service) => [
      service.fullName,
      service.comment,
      service.deprecated,
      service.place.line,
      service.methods.map((method) => ({
        names: [method.fullName, method.path, method.input.fullName, method.output.fullName],
        flags: [method.clientStreaming, method.serverStreaming, method.deprecated],
        comment: method.comment,
        place: [method.place.line, method.place.column],
        options: ['google.api.http', 'photongate.http', 'shop.v1.audit', 'shop.v1.owner'].map((name) => {
          const option = method.option(name);
          return option && plain(option);
        }),
      })),
    ]);
  t.strictSame(services(text), services(set));
  t.end();
});

void t.test('fields are what protobuf-es takes them for', (t) => {
  let compared = 0;
  for (const { typeName } of [...registry].filter(({ kind }) => kind === 'message')) {
    const expected = registry.getMessage(typeName)!;
    const message = set.message(typeName)!;
    t.strictSame(message.fields.map(ownFacts), expected.fields.map(expectedFacts), typeName);
    t.strictSame(
      message.oneofs.map(({ name }) => name),
      expected.oneofs.map(({ name }) => name),
    );
    compared += expected.fields.length;
  }
  for (const name of enumNames) t.equal(set.enum(name)!.closed, !registry.getEnum(name)!.open, name);
  t.ok(compared > 200);
  t.end();
});

function ownFacts(field: FieldDescriptor): unknown {
  const { name, jsonName, number, repeated, hasPresence, required, packed, delimited, oneof, map } = field;
  const type = (field.map?.value.message ?? field.map?.value.enum ?? field.message ?? field.enum)?.fullName;
  return {
    name,
    jsonName,
    number,
    type,
    map: map !== undefined,
    repeated,
    hasPresence,
    required,
    packed,
    delimited,
    oneof: oneof?.name,
  };
}

function expectedFacts(field: DescField): unknown {
  const single = field.fieldKind !== 'list' && field.fieldKind !== 'map';
  const type: DescMessage | { typeName: string } | undefined = field.message ?? field.enum;
  return {
    name: field.name,
    jsonName: field.jsonName,
    number: field.number,
    type: type?.typeName,
    map: field.fieldKind === 'map',
    repeated: field.fieldKind === 'list',
    hasPresence: single && field.presence !== FeatureSet_FieldPresence.IMPLICIT,
    required: field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED,
    packed: field.fieldKind === 'list' && field.packed,
    delimited: 'delimitedEncoding' in field && field.delimitedEncoding === true,
    oneof: field.oneof?.name,
  };
}

void t.test('facts of the fixtures, written out', (t) => {
  const old = text.message('shop.v1.Old')!;
  t.match(old.field('part'), { type: 'message', delimited: true, jsonName: 'part', fullName: 'shop.v1.Old.part' });
  t.equal(old.field('part')!.message?.fullName, 'shop.v1.Old.Part');
  t.match(old.field('id'), { required: true, hasPresence: true, validateUtf8: false });
  t.strictSame(
    old.extensions.map(({ name, jsonName, isExtension, hasPresence }) => [name, jsonName, isExtension, hasPresence]),
    [['shop.v1.Old.nested', '[shop.v1.Old.nested]', true, true]],
  );
  t.equal(old.field('nested'), undefined, 'extensions are not among the fields');
  t.strictSame(
    old.oneofs[0]!.fields.map(({ name }) => name),
    ['name', 'boxed'],
  );
  t.equal(text.enum('shop.v1.Level')!.valueByNumber(1)!.name, 'LOW', 'the first of two aliases');
  t.equal(text.enum('shop.v1.Level')!.value('SMALL')!.number, 1);
  t.equal(text.enum('shop.v1.Level')!.value('HIGH')!.deprecated, true);

  const item = text.message('shop.v1.Item')!;
  t.equal(item.field('title')!.name, 'display_name');
  t.equal(item.field('display_name')!.name, 'display_name');
  t.equal(item.field('displayName'), undefined);
  t.equal(item.fieldByNumber(5)!.map!.value.message!.fullName, 'google.protobuf.Timestamp');
  t.equal(item.fieldByNumber(5)!.message, undefined);
  t.equal(item.fieldByNumber(99), undefined);
  t.equal(item.field('size')!.oneof, undefined, 'the oneof of an optional field is synthetic');
  t.strictSame(
    item.oneofs.map(({ name }) => name),
    ['kind'],
  );
  t.strictSame(
    ['FooBar', '_x__y9_z', '__proto__', 'to_string'].map((name) => item.field(name)!.jsonName),
    ['FooBar', 'XY9Z', 'Proto', 'toString'],
  );
  t.strictSame(text.message('shop.v1.GetRequest')!.field('name')!.behaviors, ['REQUIRED', 'IMMUTABLE']);

  const ed = text.message('shop.v1.ed.Ed')!;
  t.strictSame(
    ed.fields
      .filter(({ type }) => type === 'string')
      .map(({ name, validateUtf8, hasPresence, required }) => [name, validateUtf8, hasPresence, required]),
    [
      ['explicit', false, true, false],
      ['implicit', false, false, false],
      ['needed', false, true, true],
      ['checked', true, true, false],
      ['a', false, true, false],
    ],
  );
  t.strictSame(
    ed.fields.filter(({ type }) => type === 'message').map(({ name, delimited }) => [name, delimited]),
    [
      ['delimited', true],
      ['prefixed', false],
      ['by_name', false],
      ['item', true],
      ['at', true],
    ],
  );
  t.equal(ed.field('by_name')!.map!.value.delimited, false);
  t.equal(ed.field('by_name')!.map!.key.validateUtf8, false);
  t.equal(text.enum('shop.v1.ed.Ed.Open')!.closed, false);
  t.equal(text.enum('shop.v1.ed.Shut')!.closed, true);
  t.end();
});

void t.test('names from Object.prototype are ordinary names', (t) => {
  const schema = schemaFromText(`syntax = "proto3";
    message M { string __proto__ = 1; string constructor = 2; string hasOwnProperty = 3; map<string, M> toString = 4; }
    message constructor { enum __proto__ { valueOf = 0; } }`);
  const message = schema.message('M')!;
  t.strictSame(
    message.fields.map(({ name }) => name),
    ['__proto__', 'constructor', 'hasOwnProperty', 'toString'],
  );
  t.equal(message.field('__proto__')!.number, 1);
  t.equal(message.field('isPrototypeOf'), undefined);
  t.equal(schema.message('toString'), undefined);
  t.equal(schema.message('constructor')!.field('constructor'), undefined);
  t.equal(schema.enum('constructor.__proto__')!.value('valueOf')!.number, 0);
  t.equal(schema.enum('constructor.__proto__')!.value('constructor'), undefined);
  t.end();
});

void t.test('types are found as protoc finds them', (t) => {
  const schema = schemaFromText({
    'a.proto': `syntax = "proto3"; package a.b;
      import "c.proto";
      message T { T inner = 1; U u = 2; b.U same = 3; a.b.U also = 4; .a.b.U absolute = 5; T.Deep deep = 6; c.X x = 7; Y y = 8;
        message T2 { U u = 1; Deep other = 2; message U {} }
        message Deep {} }
      message U {}`,
    'c.proto': 'syntax = "proto3"; package a.c; import public "d.proto"; message X {}',
    'd.proto': 'syntax = "proto3"; package a; message Y {}',
  });
  const types = (name: string): unknown => schema.message(name)!.fields.map(({ message }) => message?.fullName);
  t.strictSame(types('a.b.T'), ['a.b.T', 'a.b.U', 'a.b.U', 'a.b.U', 'a.b.U', 'a.b.T.Deep', 'a.c.X', 'a.Y']);
  t.strictSame(types('a.b.T.T2'), ['a.b.T.T2.U', 'a.b.T.Deep']);
  t.equal(schema.message('a.b.T')!.field('inner')!.message, schema.message('a.b.T'), 'a descriptor is made once');
  t.end();
});

void t.test('field_behavior in all spellings', (t) => {
  const schema = schemaFromText(`syntax = "proto3"; package google.x;
    import "google/api/field_behavior.proto";
    message M {
      string a = 1 [(google.api.field_behavior) = REQUIRED];
      string b = 2 [(.google.api.field_behavior) = OUTPUT_ONLY, deprecated = true, (api.field_behavior) = IMMUTABLE];
      string c = 3 [(google.api.field_behavior) = [INPUT_ONLY, REQUIRED]];
      string d = 4;
    }`);
  t.strictSame(
    schema.message('google.x.M')!.fields.map(({ behaviors }) => behaviors),
    [['REQUIRED'], ['OUTPUT_ONLY', 'IMMUTABLE'], ['INPUT_ONLY', 'REQUIRED'], []],
  );
  t.end();
});

void t.test('the shipped definitions are complete', (t) => {
  const schema = load({ protos: [annotationsRoot] });
  t.equal(schema.message('google.api.HttpRule')!.field('response_body')!.number, 12);
  t.equal(schema.message('google.api.Http')!.field('fully_decode_reserved_expansion')!.number, 2);
  const methodOptions = schema.message('google.protobuf.MethodOptions')!.extensions.map(({ fullName }) => fullName);
  for (const name of [
    'google.api.http',
    'google.api.method_visibility',
    'google.api.routing',
    'google.longrunning.operation_info',
    'grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation',
    'openapi.v3.operation',
    'gnostic.openapi.v3.operation',
    'photongate.http',
  ]) {
    t.ok(methodOptions.includes(name), name);
  }
  t.strictSame(
    schema
      .message('photongate.HttpOptions')!
      .fields.map(({ name, number, hasPresence }) => [name, number, hasPresence]),
    [
      ['success_status', 1, false],
      ['headers', 2, false],
      ['response_headers', 3, false],
      ['update_mask', 4, true],
      ['sse', 5, true],
      ['deadline', 6, true],
    ],
  );
  const wanted = [
    'Any',
    'Api',
    'Duration',
    'Empty',
    'FieldMask',
    'SourceContext',
    'Struct',
    'Timestamp',
    'Type',
    'BytesValue',
  ];
  for (const name of wanted) t.ok(schema.message(`google.protobuf.${name}`), name);
  for (const name of ['Status', 'BadRequest', 'RetryInfo']) t.ok(schema.message(`google.rpc.${name}`), name);
  t.equal(schema.enum('google.rpc.Code')!.values.length, 17);
  for (const name of ['google.type.Money', 'google.longrunning.Operation', 'buf.validate.FieldRules']) {
    t.ok(schema.message(name), name);
  }
  t.end();
});
