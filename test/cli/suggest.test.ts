/** `photongate suggest`: rules in the style of the standard methods, which always load. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { runMain } from '../support/cli.js';

/** A service of these methods, `Name(fields)` or `Name(fields) stream`. */
function protoOf(methods: readonly (readonly [name: string, fields: string, ...rest: string[]])[], more = ''): string {
  const rpcs = methods.map(([name]) => `  rpc ${name}(${name}Request) returns (Thing);`);
  const messages = methods.map(([name, fields]) => `message ${name}Request { ${fields} }`);
  return `syntax = "proto3";\npackage acme.v1;\nservice Library {\n${rpcs.join('\n')}\n}\n${messages.join('\n')}\nmessage Thing { string value = 1; }\n${more}`;
}

/** `selector: verb path body` of each rule. */
function rulesOf(yaml: string): string[] {
  return [...yaml.matchAll(/- selector: \S+\.(\w+)\n +(\w+): (".*")(?:\n +body: (".*"))?/g)].map(
    ([, name, verb, path, body]) =>
      [name, verb, JSON.parse(path!) as string, ...(body === undefined ? [] : [JSON.parse(body) as string])].join(' '),
  );
}

const plainKeys: readonly (readonly [name: string, fields: string, rule: string])[] = [
  ['GetBook', 'string book_id = 1; bool full = 2;', 'GetBook get /v1/books/{book_id}'],
  ['ListBooks', 'int32 page_size = 1; string page_token = 2;', 'ListBooks get /v1/books'],
  ['CreateBook', 'Book book = 1;', 'CreateBook post /v1/books book'],
  ['UpdateBook', 'Book book = 1;', 'UpdateBook patch /v1/books/{book.id} book'],
  ['DeleteBook', 'int64 id = 1;', 'DeleteBook delete /v1/books/{id}'],
  ['BatchGetBooks', 'repeated string ids = 1;', 'BatchGetBooks get /v1/books:batchGet'],
  ['BatchDeleteBooks', 'repeated string ids = 1;', 'BatchDeleteBooks post /v1/books:batchDelete *'],
  ['ArchiveBook', 'string id = 1;', 'ArchiveBook post /v1/books/{id}:archive *'],
  ['SearchBooks', 'string query = 1;', 'SearchBooks get /v1/books:search'],
  ['SearchBooksByTag', 'string query = 1;', 'SearchBooksByTag post /acme.v1.Library/SearchBooksByTag *'],
  ['ImportBooks', 'string source = 1;', 'ImportBooks post /v1/books:import *'],
  ['WatchBook', 'map<string, string> labels = 1;', 'WatchBook post /v1/books:watch *'],
  ['ListEntries', 'string query = 1;', 'ListEntries get /v1/entries'],
  ['GetEntry', 'string entry_id = 1;', 'GetEntry get /v1/entries/{entry_id}'],
  ['GetBox', 'string id = 1;', 'GetBox get /v1/boxes/{id}'],
  ['CreateBookShelf', 'string title = 1;', 'CreateBookShelf post /v1/bookShelves *'],
  ['DeleteVPCPeer', 'string vpc_peer_id = 1;', 'DeleteVPCPeer delete /v1/vpcPeers/{vpc_peer_id}'],
  ['GetStatus', '', 'GetStatus get /v1/status'],
  ['UpdateSecret', 'string id = 1; string value = 2;', 'UpdateSecret patch /v1/secrets/{id} *'],
  ['DeleteAll', 'string reason = 1;', 'DeleteAll post /acme.v1.Library/DeleteAll *'],
  ['GetReport', 'map<string, string> by = 1;', 'GetReport post /acme.v1.Library/GetReport *'],
  ['Reticulate', '', 'Reticulate post /acme.v1.Library/Reticulate *'],
];

void t.test('requests with keys', async (t) => {
  const text = protoOf(plainKeys, 'message Book { string id = 1; string title = 2; }');
  const folder = t.testdir({ 'a.proto': text });
  const { code, stdout } = await runMain(['suggest', 'a.proto'], folder);
  t.equal(code, 0);
  t.strictSame(
    rulesOf(stdout),
    plainKeys.map(([, , rule]) => rule),
  );
  const marked = [...stdout.matchAll(/# Not a standard method.*\n +- selector: acme\.v1\.Library\.(\w+)/g)].map(
    ([, name]) => name,
  );
  t.strictSame(marked, ['SearchBooksByTag', 'DeleteAll', 'GetReport', 'Reticulate']);
});

const names: readonly (readonly [name: string, fields: string, rule: string])[] = [
  ['GetBook', 'string name = 1;', 'GetBook get /v1/{name=*/*/books/*}'],
  ['ListBooks', 'string parent = 1;', 'ListBooks get /v1/{parent=*/*}/books'],
  ['CreateBook', 'string parent = 1; Book book = 2;', 'CreateBook post /v1/{parent=*/*}/books book'],
  ['UpdateBook', 'Book book = 1;', 'UpdateBook patch /v1/{book.name=*/*/books/*} book'],
  ['ArchiveBook', 'string name = 1;', 'ArchiveBook post /v1/{name=*/*/books/*}:archive *'],
  [
    'DeleteBook',
    '\n// The book. Format: publishers/{publisher}/books/{book}.\nstring name = 1;\n',
    'DeleteBook delete /v1/{name=publishers/*/books/*}',
  ],
  [
    'ListPages',
    '\n// Format: `publishers/*/books/*`\nstring parent = 1;\n',
    'ListPages get /v1/{parent=publishers/*/books/*}/pages',
  ],
];

void t.test('requests with resource names', async (t) => {
  const folder = t.testdir({ 'a.proto': protoOf(names, 'message Book { string name = 1; }') });
  const { stdout } = await runMain(['suggest', 'a.proto'], folder);
  t.strictSame(
    rulesOf(stdout),
    names.map(([, , rule]) => rule),
  );
});

void t.test('clashes give way, whoever comes first; what has a rule keeps it', async (t) => {
  const annotated = `syntax = "proto3";
package other.v1;
import "google/api/annotations.proto";
service Other {
  rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/books/{id}" }; }
  rpc Second(M) returns (M) { option (google.api.http) = { post: "/acme.v1.Library/Odd" body: "*" }; }
}
message M { string id = 1; }
`;
  const mine = protoOf([
    ['GetBook', 'string id = 1;'],
    ['ListBooks', ''],
    ['Odd', ''],
  ]);
  for (const [first, second] of [
    ['mine.proto', 'other.proto'],
    ['other.proto', 'mine.proto'],
  ] as const) {
    const folder = t.testdir({ 'mine.proto': mine, 'other.proto': annotated });
    const files = [first, second];
    const { code, stdout } = await runMain(['suggest', ...files, '-o', 'rules.yaml'], folder);
    t.equal(code, 0);
    t.equal(stdout, '');
    const text = readFileSync(join(folder, 'rules.yaml'), 'utf8');
    t.strictSame(rulesOf(text), ['GetBook post /acme.v1.Library/GetBook *', 'ListBooks get /v1/books']);
    const args = files.flatMap((file) => ['--proto', file]);
    const checked = await runMain(['check', ...args, '--rules', 'rules.yaml'], folder);
    t.equal(checked.code, 0, checked.stderr);
    const again = await runMain(['suggest', ...args, '--rules', 'rules.yaml', '--service', 'other.v1.Other'], folder);
    t.match(again.stdout, 'rules: [] # every RPC has a rule');
  }
});

void t.test('what cannot be done', async (t) => {
  const folder = t.testdir({ 'a.proto': protoOf([['GetBook', '']]), 'bad.proto': 'syntax = ' });
  t.equal((await runMain(['suggest', 'bad.proto'], folder)).code, 1);
  t.equal((await runMain(['suggest'], folder)).code, 2);
  const unwritten = await runMain(['suggest', 'a.proto', '-o', 'none/a.yaml'], folder);
  t.equal(unwritten.code, 1);
  t.match(unwritten.stderr, 'output-file');
});

/** The proposal for a file loads, without a problem and with a route for each of its RPCs. */
async function loads(text: string, importsFrom: readonly string[] = []): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-suggest-'));
  try {
    writeFileSync(join(folder, 'a.proto'), text);
    const imports = importsFrom.flatMap((path) => ['-I', path]);
    const proposed = await runMain(['suggest', 'a.proto', '-o', 'rules.yaml', ...imports], folder);
    if (proposed.code !== 0) return proposed.stderr;
    const yaml = readFileSync(join(folder, 'rules.yaml'), 'utf8');
    const args = ['check', '--proto', 'a.proto', '--rules', 'rules.yaml', '--format', 'json', ...imports];
    const { stdout } = await runMain(args, folder);
    const { ok, problems } = JSON.parse(stdout) as { ok: boolean; problems: { code: string }[] };
    const odd = problems.filter(({ code }) => code === 'unannotated-method' || code === 'duplicate-route');
    return ok && odd.length === 0 ? '' : `${yaml}${stdout}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const word = fc.constantFrom('Book', 'Books', 'Shelf', 'Box', 'Entry', 'V', 'VPC', 'ID', 'Status', 'S', 'News');
const verb = fc.constantFrom(
  'Get',
  'List',
  'Create',
  'Update',
  'Delete',
  'BatchGet',
  'BatchDelete',
  'Search',
  'Run',
  'Do2',
);
const methodName = fc.tuple(verb, fc.array(word, { maxLength: 2 })).map(([first, rest]) => `${first}${rest.join('')}`);
const field = fc.constantFrom(
  'string name',
  'string parent',
  'string id',
  'int64 book_id',
  'Book book',
  'repeated string shelf',
  'map<string, string> labels',
  'bytes entry_id',
  'Tree tree',
  'google.protobuf.Timestamp time',
);
const someMethods = fc.uniqueArray(
  fc.tuple(methodName, fc.uniqueArray(field, { maxLength: 4, selector: (text) => text.split(' ').at(-1) }), fc.nat(3)),
  { minLength: 1, maxLength: 12, selector: ([name]) => name.toLowerCase() },
);

void t.test('random services: what is proposed loads', async (t) => {
  const property = fc.asyncProperty(
    someMethods,
    fc.constantFrom('', 'package a;', 'package a.v1beta1.b;'),
    async (methods, head) => {
      const rpcs = methods.map(([name, , kind]) => {
        const [up, down] = [kind % 2 === 1 ? 'stream ' : '', kind > 1 ? 'stream ' : ''];
        return `rpc ${name}(${up}${name}Q) returns (${down}Book);`;
      });
      const messages = methods.map(
        ([name, fields]) => `message ${name}Q { ${fields.map((text, index) => `${text} = ${index + 1};`).join(' ')} }`,
      );
      const text = `syntax = "proto3"; ${head} import "google/protobuf/timestamp.proto";
      service S { ${rpcs.join('\n')} } ${messages.join('\n')}
      message Book { string name = 1; string title = 2; } message Tree { Tree left = 1; }`;
      const wrong = await loads(text);
      if (wrong !== '') throw new Error(`${text}\n${wrong}`);
    },
  );
  await fc.assert(property, { numRuns: 12 });
  t.pass();
});

const protos = fileURLToPath(new URL('../../protos', import.meta.url));

void t.test('the bundled protos without their rules: what is proposed loads', async (t) => {
  const files = readdirSync(protos, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.proto'));
  t.ok(files.length > 10);
  for (const file of files) {
    const text = readFileSync(join(protos, file), 'utf8');
    // Options of methods are the only ones that begin a line with four spaces.
    const bare = text
      .replace(/^ {4}option \((?:google\.api\.http|photongate\.http)\) = \{[^]*?^ {4}\};\n/gm, '')
      .replace(/^ {4}option \([^]*?;\n/gm, '');
    t.equal(await loads(bare, [protos]), '', file);
  }
});
