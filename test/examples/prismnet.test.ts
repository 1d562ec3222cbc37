/** PrismNET, the reference service: blocks, subnets in them, and what all resources have in common (`lib/resources.ts`). */
import t from 'tap';
import type * as message from '../../examples/photoncloud/prismnet/messages.js';
import { blockText, parseBlock, usable, addressText } from '../../examples/photoncloud/prismnet/cidr.js';
import { allPages, spawnService, startTestService, temporaryFile, type RestCase } from '../support/resource-service.js';
import { ManualClock } from '../support/manual-clock.js';
import { refusal } from '../support/refusal.js';

const service = ['prismnet', 'PrismNetService'] as const;
const none = '01jz4q0v7m9k3c5x8w2n6t1r0a';
const vpc = { name: 'main', org_id: 'acme', project_id: 'web', cidr_block: '10.0.0.0/16' };

interface Created {
  readonly id: string;
  readonly created_at: string;
  readonly updated_at: string;
}

void t.test('blocks', (test) => {
  const rows: [string, string | undefined, string?, string?][] = [
    ['10.0.0.0/16', '10.0.0.0/16', '10.0.0.1', '10.0.255.254'],
    ['10.1.2.3/8', '10.0.0.0/8', '10.0.0.1', '10.255.255.254'],
    ['255.255.255.255/32', '255.255.255.255/32', '255.255.255.255', '255.255.255.255'],
    ['10.0.0.4/31', '10.0.0.4/31', '10.0.0.4', '10.0.0.5'],
    ['10.0.0.4/30', '10.0.0.4/30', '10.0.0.5', '10.0.0.6'],
    ['0.0.0.0/0', '0.0.0.0/0', '0.0.0.1', '255.255.255.254'],
    ['FD00:12:0::1/48', 'fd00:12::/48', 'fd00:12::1', 'fd00:12:0:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8:0:0:1:0:0:1/128', '2001:db8::1:0:0:1/128', '2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:10.0.0.9/104', '::ffff:10.0.0.0/104', '::ffff:10.0.0.1', '::ffff:10.255.255.255'],
    ['::/127', '::/127', '::', '::1'],
    ...['', '/', '10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/-1', '10.0.0/8', '010.0.0.0/8'].map(
      (text) => [text, undefined] as [string, undefined],
    ),
    ...[
      '::/129',
      ':::/8',
      'fe80::1%eth0/64',
      'g::/8',
      ' 10.0.0.0/8',
      '10.0.0.0/8\n',
      '1.2.3.4.5/8',
      '10.0.0.0/1e1',
    ].map((text) => [text, undefined] as [string, undefined]),
  ];
  for (const [text, canonical, first, last] of rows) {
    const block = parseBlock(text);
    test.equal(block && blockText(block), canonical, JSON.stringify(text));
    if (block === undefined) continue;
    const texts = [usable(block).first, usable(block).last].map((value) =>
      addressText({ version: block.version, value }),
    );
    test.same(texts, [first, last], text);
  }
  test.end();
});

void t.test('VPCs by REST', async (test) => {
  const running = await startTestService(test, ...service);
  const { clock } = running;
  const created = await running.data<Created>('POST /api/v1/vpcs', { ...vpc, description: 'all of it' });
  test.match(created, { ...vpc, description: 'all of it', created_at: '2026-01-01T00:00:00Z' });
  test.match(created.id, /^[0-9a-z]{26}$/);
  const path = `/api/v1/vpcs/${created.id}`;
  clock.advance(1000);
  const bad = (change: object): object => ({ ...vpc, name: 'bad', ...change });
  const cases: RestCase[] = [
    [`GET ${path}`, undefined, 200, created],
    ['POST /api/v1/vpcs', vpc, 409, 'ALREADY_EXISTS'],
    ['POST /api/v1/vpcs', vpc, 409, /^a VPC named "main" is there already$/],
    ['POST /api/v1/vpcs', { ...vpc, project_id: 'other' }, 201, { name: 'main', description: '' }],
    ['POST /api/v1/vpcs', { ...vpc, org_id: 'other', cidr_block: 'fd00:12::/48' }, 201, { cidr_block: 'fd00:12::/48' }],
    [
      'POST /api/v1/vpcs',
      {},
      400,
      /name: is missing or empty; org_id: is .*; project_id: is .*; cidr_block: is missing/,
    ],
    ['POST /api/v1/vpcs', bad({ cidr_block: '10.0.0.1/16' }), 400, /cidr_block: is "10.0.0.1\/16", write 10.0.0.0\/16/],
    ['POST /api/v1/vpcs', bad({ cidr_block: 'FD00::/8' }), 400, /write fd00::\/8/],
    ['POST /api/v1/vpcs', bad({ cidr_block: '0.0.0.0/0' }), 400, /every address/],
    ['POST /api/v1/vpcs', bad({ cidr_block: 'ten' }), 400, /is "ten", expected a block such as/],
    ['POST /api/v1/vpcs', bad({ name: 'n'.repeat(129) }), 400, /name: expected 1 to 128 characters/],
    ['POST /api/v1/vpcs', bad({ name: 'a\nb' }), 400, /control character/],
    ['POST /api/v1/vpcs', bad({ description: 'd'.repeat(1025) }), 400, /description: has 1025 characters/],
    ['POST /api/v1/vpcs', bad({ cidr: '10.0.0.0/8' }), 400, 'INVALID_ARGUMENT'],
    ['POST /api/v1/vpcs', bad({ request_id: 'a b' }), 400, /request_id: expected/],
    ['GET /api/v1/vpcs?org_id=acme', undefined, 200, { vpcs: [{ project_id: 'web' }, { project_id: 'other' }] }],
    ['GET /api/v1/vpcs?org_id=acme&project_id=web', undefined, 200, { vpcs: [created], next_page_token: '' }],
    ['GET /api/v1/vpcs?org_id=nobody', undefined, 200, { vpcs: [], next_page_token: '' }],
    ['GET /api/v1/vpcs?org_id=%00', undefined, 400, /org_id/],
    ['GET /api/v1/vpcs?page_size=-1', undefined, 400, /page_size: is -1/],
    ['GET /api/v1/vpcs?page_token=x', undefined, 400, /page_token: is not a token of this list/],
    [
      `PATCH ${path}`,
      { description: 'changed' },
      200,
      { name: 'main', description: 'changed', cidr_block: '10.0.0.0/16' },
    ],
    [`PATCH ${path}`, { name: 'renamed' }, 200, { name: 'renamed', updated_at: '2026-01-01T00:00:01Z' }],
    [`PATCH ${path}`, { description: '' }, 200, { name: 'renamed', description: '' }],
    [
      `PATCH ${path}`,
      { cidr_block: '10.0.0.0/8' },
      400,
      /^cidr_block: cannot be changed; what can: name, description$/,
    ],
    [`PATCH ${path}`, { name: '' }, 400, /^name: is missing or empty$/],
    [`PATCH ${path}`, {}, 200, { name: 'renamed', description: '' }],
    [`PATCH ${path}`, { name: 'x\u0000' }, 400, 'INVALID_ARGUMENT'],
    [`PATCH /api/v1/vpcs/${none}`, { name: 'x' }, 404, 'NOT_FOUND'],
    [`GET /api/v1/vpcs/${none}`, undefined, 404, /^no VPC has the id "01jz/],
    ['GET /api/v1/vpcs/x%00y', undefined, 404, 'NOT_FOUND'],
    [`DELETE /api/v1/vpcs/${none}`, undefined, 404, 'NOT_FOUND'],
    [`DELETE ${path}`, undefined, 200, { deleted: true }],
    [`DELETE ${path}`, undefined, 404, 'NOT_FOUND'],
  ];
  await running.table(test, cases);
  test.same(running.log, []);
});

void t.test('subnets by REST', async (test) => {
  const running = await startTestService(test, ...service);
  const { id: vpc_id } = await running.data<Created>('POST /api/v1/vpcs', vpc);
  const six = await running.data<Created>('POST /api/v1/vpcs', { ...vpc, name: 'six', cidr_block: 'fd00:12::/48' });
  const subnet = { name: 'a', vpc_id, cidr_block: '10.0.1.0/24' };
  const first = await running.data<Created>('POST /api/v1/subnets', subnet);
  test.match(first, { ...subnet, org_id: 'acme', project_id: 'web', gateway_ip: '10.0.1.1', description: '' });
  const path = `/api/v1/subnets/${first.id}`;
  const bad = (change: object): object => ({ ...subnet, name: 'bad', cidr_block: '10.0.9.0/24', ...change });
  const v6 = (change: object): object => ({ name: 'v6', vpc_id: six.id, cidr_block: 'fd00:12:0:1::/64', ...change });
  await running.table(test, [
    [`GET ${path}`, undefined, 200, first],
    ['POST /api/v1/subnets', { ...subnet, cidr_block: '10.0.2.0/24' }, 409, 'ALREADY_EXISTS'],
    ['POST /api/v1/subnets', subnet, 409, /^a subnet named "a" is there already$/],
    ['POST /api/v1/subnets', {}, 400, /^name: .*; vpc_id: is missing or empty; cidr_block: /],
    ['POST /api/v1/subnets', { ...subnet, vpc_id: 'a\u0000' }, 400, /^vpc_id: is "a\\u0000", which is no id$/],
    [
      'POST /api/v1/subnets',
      bad({ cidr_block: '10.1.0.0/24' }),
      400,
      /cidr_block: is 10.1.0.0\/24, expected a part of the VPC's block 10.0.0.0\/16/,
    ],
    ['POST /api/v1/subnets', bad({ cidr_block: '10.0.0.0/8' }), 400, /expected a part of/],
    ['POST /api/v1/subnets', bad({ cidr_block: 'fd00::/64' }), 400, /expected a part of/],
    ['POST /api/v1/subnets', bad({ cidr_block: '10.0.1.0/24' }), 400, /which overlaps 10.0.1.0\/24 of the subnet "a"/],
    ['POST /api/v1/subnets', bad({ cidr_block: '10.0.1.128/25' }), 400, /which overlaps/],
    ['POST /api/v1/subnets', bad({ cidr_block: '10.0.0.0/23' }), 400, /which overlaps/],
    ['POST /api/v1/subnets', bad({ cidr_block: '10.0.0.0/16' }), 400, /which overlaps/],
    ['POST /api/v1/subnets', bad({ vpc_id: none }), 400, /vpc_id: no VPC has the id/],
    ['POST /api/v1/subnets', bad({ vpc_id: '' }), 400, /vpc_id: is missing or empty/],
    [
      'POST /api/v1/subnets',
      bad({ gateway_ip: '10.0.8.1' }),
      400,
      /gateway_ip: is "10.0.8.1", expected a usable address of the block, 10.0.9.1 to 10.0.9.254/,
    ],
    ['POST /api/v1/subnets', bad({ gateway_ip: '10.0.9.0' }), 400, /usable/],
    ['POST /api/v1/subnets', bad({ gateway_ip: '10.0.9.255' }), 400, /usable/],
    ['POST /api/v1/subnets', bad({ gateway_ip: 'fd00::1' }), 400, /usable/],
    ['POST /api/v1/subnets', bad({ gateway_ip: 'gate' }), 400, /usable/],
    ['POST /api/v1/subnets', bad({ name: 'before', cidr_block: '10.0.0.0/24' }), 201, { gateway_ip: '10.0.0.1' }],
    [
      'POST /api/v1/subnets',
      bad({ name: 'after', cidr_block: '10.0.2.0/23', gateway_ip: '10.0.3.254' }),
      201,
      { gateway_ip: '10.0.3.254' },
    ],
    ['POST /api/v1/subnets', v6({}), 201, { gateway_ip: 'fd00:12:0:1::1' }],
    [
      'POST /api/v1/subnets',
      v6({ name: 'w', cidr_block: 'fd00:12:0:1:8000::/65' }),
      400,
      /which overlaps fd00:12:0:1::\/64/,
    ],
    [
      'POST /api/v1/subnets',
      v6({ name: 'w', cidr_block: 'fd00:12:0:2::/64', gateway_ip: 'fd00:12:0:2:0::FF' }),
      400,
      /write fd00:12:0:2::ff/,
    ],
    [
      'POST /api/v1/subnets',
      v6({ name: 'w', cidr_block: 'fd00:12:0:2::/64', gateway_ip: 'fd00:12:0:2::' }),
      400,
      /usable/,
    ],
    ['POST /api/v1/subnets', v6({ name: 'w', cidr_block: 'fd00:13::/64' }), 400, /expected a part of/],
    [`GET /api/v1/subnets?vpc_id=${six.id}`, undefined, 200, { subnets: [{ name: 'v6' }] }],
    ['GET /api/v1/subnets?org_id=acme&project_id=web', undefined, 200, { subnets: [{ name: 'a' }, {}, {}, {}] }],
    ['GET /api/v1/subnets?project_id=none', undefined, 200, { subnets: [] }],
    ['GET /api/v1/subnets?vpc_id=what', undefined, 400, /vpc_id: is "what", which is no id/],
    [`PATCH ${path}`, { name: 'renamed' }, 200, { name: 'renamed', gateway_ip: '10.0.1.1', cidr_block: '10.0.1.0/24' }],
    [`PATCH ${path}`, { name: 'before' }, 409, 'ALREADY_EXISTS'],
    [`DELETE /api/v1/vpcs/${vpc_id}`, undefined, 400, 'FAILED_PRECONDITION'],
    [
      `DELETE /api/v1/vpcs/${vpc_id}`,
      undefined,
      400,
      /^the VPC is in use by the subnet "[0-9a-z]{26}"; delete that first$/,
    ],
    [`DELETE ${path}`, undefined, 200, { deleted: true }],
    [`DELETE ${path}`, undefined, 404, 'NOT_FOUND'],
    [`GET ${path}`, undefined, 404, 'NOT_FOUND'],
    ['POST /api/v1/subnets', subnet, 201, { name: 'a' }],
  ]);
  const { subnets } = await running.data<{ subnets: Created[] }>(`GET /api/v1/subnets?vpc_id=${vpc_id}`);
  for (const { id } of subnets) await running.data(`DELETE /api/v1/subnets/${id}`);
  await running.table(test, [[`DELETE /api/v1/vpcs/${vpc_id}`, undefined, 200, { deleted: true }]]);
  test.same(running.log, []);
});

void t.test('a patch changes what its mask names', async (test) => {
  const { client, clock } = await startTestService(test, ...service);
  const before = await client.call<message.Vpc>('CreateVpc', { ...vpc, description: 'd' });
  const patch = (change: object, ...paths: string[]): Promise<message.Vpc> =>
    client.call('UpdateVpc', { vpc: { id: before.id, ...change }, update_mask: { paths } });
  clock.advance(1000);
  test.same(await patch({ name: 'main' }, 'name'), before, 'no change is no update');
  const rows: [object, string[], object][] = [
    [{ name: 'n', description: 'x' }, ['description'], { name: 'main', description: 'x' }],
    [{}, ['description'], { description: '' }],
    [{ name: 'other', description: 'y' }, ['name', 'description'], { name: 'other', description: 'y' }],
    [{ name: 'main' }, ['*'], { name: 'main', description: '' }],
    [{ description: 'z' }, [], { name: 'main', description: 'z' }],
    [{ cidr_block: '10.0.0.0/16', description: 'w' }, ['cidr_block', 'description'], { description: 'w' }],
    [{ created_at: { seconds: 1n, nanos: 0 } }, ['created_at', 'id'], { created_at: before.created_at }],
  ];
  for (const [change, paths, expected] of rows) test.match(await patch(change, ...paths), expected, paths.join());
  test.match(await client.call('GetVpc', { id: before.id }), {
    name: 'main',
    created_at: before.created_at,
    updated_at: { seconds: before.created_at.seconds + 1n },
  });
  const refused: [object, string[], RegExp][] = [
    [{}, ['name'], /name: is missing or empty/],
    [{ cidr_block: '10.0.0.0/8' }, ['cidr_block'], /^cidr_block: cannot be changed; what can: name, description$/],
    [{ name: 'x' }, ['nam'], /^update_mask: has "nam", expected fields of a VPC: name, description$/],
    [{ name: 'x' }, ['name.x'], /^update_mask: has "name.x"/],
    [{ name: 'x' }, ['__proto__'], /^update_mask: /],
  ];
  for (const [change, paths, text] of refused) {
    const { code, message: found } = await refusal(patch(change, ...paths));
    test.equal(code, 'INVALID_ARGUMENT');
    test.match(found, text);
  }
  test.match(await refusal(client.call('UpdateVpc', {})), { code: 'INVALID_ARGUMENT', message: /^vpc.id: is missing/ });
  test.match(await refusal(client.call('GetVpc', {})), { code: 'INVALID_ARGUMENT', message: /^id: is missing/ });
});

void t.test('request ids, pages, and a restart', async (test) => {
  const running = await startTestService(test, ...service);
  const { id: vpc_id } = await running.data<Created>('POST /api/v1/vpcs', { ...vpc, request_id: 'r-1' });
  test.equal((await running.data<Created>('POST /api/v1/vpcs', { ...vpc, request_id: 'r-1' })).id, vpc_id);
  await running.table(test, [
    ['POST /api/v1/vpcs', { ...vpc, name: 'x', request_id: 'r-1' }, 400, /request_id: was used/],
    ['POST /api/v1/vpcs', { ...vpc, request_id: 'r-2' }, 409, 'ALREADY_EXISTS'],
  ]);
  const names = Array.from({ length: 25 }, (_, index) => `s${index}`);
  for (const [index, name] of names.entries()) {
    running.clock.advance(1);
    await running.data('POST /api/v1/subnets', { name, vpc_id, cidr_block: `10.0.${index}.0/24`, request_id: name });
  }
  const { items, pages } = await allPages<{ name: string }>(running, `/api/v1/subnets?vpc_id=${vpc_id}`, 'subnets', 10);
  test.same([items.map(({ name }) => name), pages], [names, 3]);
  const { next_page_token: token } = await running.data<{ next_page_token: string }>('GET /api/v1/subnets?page_size=5');
  await running.table(test, [
    [`GET /api/v1/subnets?page_size=1&page_token=${token}`, undefined, 200, { subnets: [{ name: 's5' }] }],
    [`GET /api/v1/subnets?project_id=web&page_token=${token}`, undefined, 400, /page_token/],
    [`GET /api/v1/vpcs?page_token=${token}`, undefined, 400, /page_token/],
  ]);
  await running.stop();

  const again = await startTestService(test, ...service, { file: running.file, clock: new ManualClock() });
  test.same((await again.data<{ subnets: object[] }>('GET /api/v1/subnets')).subnets, items);
  await again.table(test, [
    ['POST /api/v1/vpcs', { ...vpc, request_id: 'r-1' }, 201, { id: vpc_id }],
    ['POST /api/v1/subnets', { name: 'new', vpc_id, cidr_block: '10.0.3.0/25' }, 400, /overlaps 10.0.3.0\/24/],
  ]);
});

void t.test('a page of large resources ends early, and fits into a message', async (test) => {
  const { client } = await startTestService(test, ...service);
  // 1024 characters of 4 bytes and names of 512: some 5 KiB each, and 1000 of them are more than a message takes.
  const large = { ...vpc, org_id: '\u{1f525}'.repeat(128), description: '\u{1f525}'.repeat(512) };
  for (let n = 0; n < 12; n++) {
    await Promise.all(
      Array.from({ length: 75 }, (_, index) =>
        client.call('CreateVpc', { ...large, name: `${n}-${index}-${'\u{1f525}'.repeat(100)}` }),
      ),
    );
  }
  const seen = new Set<string>();
  let page_token = '';
  do {
    const page = await client.call<{ vpcs: message.Vpc[]; next_page_token: string }>('ListVpcs', {
      page_size: 1000,
      page_token,
    });
    for (const { id } of page.vpcs) seen.add(id);
    page_token = page.next_page_token;
  } while (page_token !== '');
  test.equal(seen.size, 900);
});

void t.test('killed while it writes, it has lost nothing that it acknowledged', async (test) => {
  const file = temporaryFile();
  const acknowledged: message.Subnet[] = [];
  const { client, kill } = await spawnService(test, ...service, file);
  const { id: vpc_id } = await client.call<message.Vpc>('CreateVpc', vpc);
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; n < 256; n++) {
      const subnet = {
        name: `${writer}-${n}`,
        vpc_id,
        cidr_block: `10.0.${writer * 16 + (n >> 4)}.${(n & 15) * 16}/28`,
      };
      acknowledged.push(await client.call<message.Subnet>('CreateSubnet', subnet));
    }
  };
  const writers = [0, 1, 2, 3].map((writer) => write(writer).catch(() => undefined));
  while (acknowledged.length < 40) await new Promise((resolve) => setTimeout(resolve, 5));
  await kill();
  await Promise.all(writers);
  const after = await startTestService(test, ...service, { file });
  for (const subnet of acknowledged) test.same(await after.client.call('GetSubnet', { id: subnet.id }), subnet);
});
