/**
 * Reflection of the reference services: what it tells of the .proto files is what the files say, rules included, as the
 * schema loader and an independent implementation read it.
 */
import { create, createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Schema } from '../../examples/photoncloud/lib/schema.js';
import { reflectionServices } from '../../examples/photoncloud/lib/reflection.js';
import { services } from '../../examples/photoncloud/services.js';
import { type CloudClient, type Loose, startCloud, temporaryFolder } from '../support/photoncloud.js';
import { runMain } from '../support/cli.js';

const versions = ['v1', 'v1alpha'] as const;
const repository = fileURLToPath(new URL('../..', import.meta.url));

/** All questions on one stream, answered in order. */
async function ask(client: CloudClient, version: string, questions: object[]): Promise<Loose[]> {
  const name = `grpc.reflection.${version}.ServerReflection`;
  const [method] = reflectionServices([])
    .find((service) => service.name === name)!
    .schema.methods(name);
  const call = client.duplex(method!.path);
  for (const question of questions) call.write(method!.request.encode(question));
  call.end();
  const answers: Loose[] = [];
  for await (const bytes of call) answers.push(method!.reply.decode(bytes as Buffer));
  return answers;
}

void t.test('every service can be asked, and what it says is what its files say', async (test) => {
  for (const { name, package: packageName } of services) {
    const file = `${packageName.replace('.', '/')}/${name}.proto`;
    const schema = Schema.load([file]);
    const { client } = await startCloud(test, { entry: name, file, service: serviceOf(schema, packageName) });
    for (const version of versions) {
      const [list, bySymbol, byFile, missing, nothing] = await ask(client, version, [
        { list_services: '' },
        { file_containing_symbol: serviceOf(schema, packageName) },
        { file_by_filename: 'google/api/http.proto' },
        { file_containing_symbol: 'no.Such' },
        {},
      ]);
      const names = list.list_services_response.service.map((each: Loose) => each.name as string) as string[];
      for (const expected of ['grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection']) {
        test.ok(names.includes(expected), `${name} has ${expected}`);
      }
      test.match(missing.error_response, { error_code: 5, error_message: 'no symbol "no.Such" on this server' });
      test.match(nothing.error_response, { error_code: 3 });
      test.equal(byFile.file_descriptor_response.file_descriptor_proto.length, 1);
      await compare(test, file, bySymbol.file_descriptor_response.file_descriptor_proto as Buffer[]);
    }
    const [extension, numbers, none] = await ask(client, 'v1', [
      { file_containing_extension: { containing_type: 'google.protobuf.MethodOptions', extension_number: 72295728 } },
      { all_extension_numbers_of_type: 'google.protobuf.MethodOptions' },
      { all_extension_numbers_of_type: 'no.Such' },
    ]);
    const [described] = extension.file_descriptor_response.file_descriptor_proto as Buffer[];
    test.equal(fromBinary(FileDescriptorProtoSchema, described!).name, 'google/api/annotations.proto');
    const known = schema.files().some((each) => each.name === 'photongate/http.proto') ? [51234, 72295728] : [72295728];
    test.same(numbers.all_extension_numbers_response.extension_number, known);
    test.equal(none.error_response.error_code, 5);
  }
});

function serviceOf(schema: Schema, packageName: string): string {
  const [symbol] = schema
    .files()
    .flatMap((file) => file.symbols)
    .filter((each) => new RegExp(`^${packageName.replace('.', '\\.')}\\.\\w+Service$`).test(each));
  return symbol!;
}

/** The routes that photongate makes of the descriptors and of the file itself are the same. */
async function compare(test: Test, file: string, descriptors: Buffer[]): Promise<void> {
  const set = create(FileDescriptorSetSchema, {
    file: descriptors.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes)),
  });
  const registry = createFileRegistry(set.file[0]!, (name) => set.file.find((each) => each.name === name));
  test.ok(registry.getFile(file), `${file} links`);
  const path = join(temporaryFolder(test), 'set.binpb');
  writeFileSync(path, toBinary(FileDescriptorSetSchema, set));
  const routes = async (...flags: string[]): Promise<object[]> => {
    const { stdout, stderr, code } = await runMain(['routes', '--json', ...flags], repository);
    test.equal(code, 0, stderr);
    const found = JSON.parse(stdout) as { file: string; line: number }[];
    return found.map((route) => ({ ...route, file: '', line: 0 }));
  };
  const service = file.replace(/\/[^/]*$/, '').replaceAll('/', '.') + '.*';
  test.same(
    await routes('--descriptor-set', path, '--service', service),
    await routes('--proto', join(repository, 'protos', file)),
  );
}
