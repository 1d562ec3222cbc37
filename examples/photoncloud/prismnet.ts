/**
 * PrismNET, PhotonCloud's virtual networks: the RPCs of `protos/prismnet/v1/prismnet.proto`. What all resources have in
 * common is in `lib/resources.ts`; here stands what is true of VPCs and subnets: whose blocks lie where.
 */
import { badRequest, quoted } from './lib/errors.js';
import { descriptionRule, idFilterRule, nameFilterRule, nameRule, referenceRule, type Rule } from './lib/rules.js';
import { resourceHandlers, type ResourceApi } from './lib/resource-handlers.js';
import { startResourceService, type ServiceContext } from './lib/resource-service.js';
import type { Fields, ResourceTable } from './lib/resources.js';
import type { RunningService, StartOptions } from './lib/service.js';
import {
  addressText,
  blockText,
  contains,
  parseAddress,
  parseBlock,
  sortKey,
  usable,
  type Block,
} from './prismnet/cidr.js';
import type * as message from './prismnet/messages.js';

/** Starts PrismNET; resolves when it listens. */
export function startPrismNet(options: StartOptions): Promise<RunningService> {
  return startResourceService(
    {
      file: 'prismnet/v1/prismnet.proto',
      name: 'prismnet.v1.PrismNetService',
      build: (context) => {
        const vpcs = vpcTable(context);
        const subnets = subnetTable(context);
        const vpcHandlers = resourceHandlers(context, vpcApi(vpcs, subnets));
        return { handlers: { ...vpcHandlers, ...resourceHandlers(context, subnetApi(subnets, vpcs)) } };
      },
    },
    options,
  );
}

function vpcTable(context: ServiceContext): ResourceTable<message.Vpc> {
  return context.table<message.Vpc>('Vpc', {
    table: 'prismnet_vpcs',
    noun: 'VPC',
    columns: { org_id: (vpc) => vpc.org_id, project_id: (vpc) => vpc.project_id, name: (vpc) => vpc.name },
    unique: ['org_id', 'project_id', 'name'],
    changeable: ['name', 'description'],
    fixed: ['org_id', 'project_id', 'cidr_block'],
    rules: (vpc) => [
      nameRule('name', vpc.name),
      nameRule('org_id', vpc.org_id),
      nameRule('project_id', vpc.project_id),
      blockRule(vpc.cidr_block),
      descriptionRule(vpc.description),
    ],
  });
}

function subnetTable(context: ServiceContext): ResourceTable<message.Subnet> {
  return context.table<message.Subnet>('Subnet', {
    table: 'prismnet_subnets',
    noun: 'subnet',
    columns: {
      vpc_id: (subnet) => subnet.vpc_id,
      org_id: (subnet) => subnet.org_id,
      project_id: (subnet) => subnet.project_id,
      name: (subnet) => subnet.name,
      first_address: (subnet) => sortKey(parseBlock(subnet.cidr_block)!.first),
      last_address: (subnet) => sortKey(parseBlock(subnet.cidr_block)!.last),
    },
    unique: ['vpc_id', 'name'],
    changeable: ['name', 'description'],
    fixed: ['vpc_id', 'cidr_block', 'gateway_ip'],
    rules: (subnet) => [
      nameRule('name', subnet.name),
      referenceRule('vpc_id', subnet.vpc_id),
      blockRule(subnet.cidr_block),
      gatewayRule(subnet),
      descriptionRule(subnet.description),
    ],
  });
}

function vpcApi(
  table: ResourceTable<message.Vpc>,
  subnets: ResourceTable<message.Subnet>,
): ResourceApi<message.Vpc, message.CreateVpcRequest> {
  return {
    noun: 'Vpc',
    plural: 'Vpcs',
    list: 'vpcs',
    field: 'vpc',
    table,
    filters: { org_id: nameFilterRule, project_id: nameFilterRule },
    fields: (request) => request,
    users: () => [[subnets, 'vpc_id']],
  };
}

function subnetApi(
  table: ResourceTable<message.Subnet>,
  vpcs: ResourceTable<message.Vpc>,
): ResourceApi<message.Subnet, message.CreateSubnetRequest> {
  return {
    noun: 'Subnet',
    plural: 'Subnets',
    list: 'subnets',
    field: 'subnet',
    table,
    filters: { vpc_id: idFilterRule, org_id: nameFilterRule, project_id: nameFilterRule },
    fields: (request) => ({ ...request, org_id: '', project_id: '' }),
    verify: (subnet, id) => {
      if (id !== undefined) return; // what has to fit cannot be changed
      const { org_id, project_id, cidr_block } = vpcs.referred('vpc_id', subnet.vpc_id);
      requirePlace(table, subnet, parseBlock(cidr_block)!);
      return { org_id, project_id, gateway_ip: gatewayOf(subnet) };
    },
  };
}

function blockRule(text: string): Rule {
  if (text === '') return ['cidr_block', false, 'is missing or empty, expected a block such as 10.0.0.0/16'];
  const block = parseBlock(text);
  if (block === undefined) {
    return ['cidr_block', false, `is ${quoted(text)}, expected a block such as 10.0.0.0/16 or fd00:12::/48`];
  }
  const canonical = blockText(block);
  const whole = block.prefixLength > 0;
  const description = whole ? `is ${quoted(text)}, write ${canonical}` : `is ${quoted(text)}, which is every address`;
  return ['cidr_block', whole && text === canonical, description];
}

/** The gateway belongs to the block; whether the block is good is another rule. */
function gatewayRule({ cidr_block, gateway_ip: text }: Fields<message.Subnet>): Rule {
  const block = parseBlock(cidr_block);
  if (text === '' || block === undefined) return ['gateway_ip', true, ''];
  const { first, last } = usable(block);
  const [from, to] = [first, last].map((value) => addressText({ version: block.version, value }));
  const address = parseAddress(text);
  const inside =
    address !== undefined && address.version === block.version && first <= address.value && address.value <= last;
  if (!inside)
    return ['gateway_ip', false, `is ${quoted(text)}, expected a usable address of the block, ${from} to ${to}`];
  const canonical = addressText(address);
  return ['gateway_ip', text === canonical, `is ${quoted(text)}, write ${canonical}`];
}

function gatewayOf({ cidr_block, gateway_ip }: Fields<message.Subnet>): string {
  const block = parseBlock(cidr_block)!;
  return gateway_ip === '' ? addressText({ version: block.version, value: usable(block).first }) : gateway_ip;
}

/** INVALID_ARGUMENT unless the subnet's block lies in its VPC's and apart from those of its siblings. */
function requirePlace(
  subnets: ResourceTable<message.Subnet>,
  { vpc_id, cidr_block }: Fields<message.Subnet>,
  vpc: Block,
): void {
  const refuse = (description: string): never => {
    throw badRequest([{ field: 'cidr_block', description: `is ${cidr_block}, ${description}` }]);
  };
  const block = parseBlock(cidr_block)!;
  if (!contains(vpc, block)) refuse(`expected a part of the VPC's block ${blockText(vpc)}`);
  const [sibling] = subnets.select(
    'vpc_id = ? AND first_address <= ? AND last_address >= ? ORDER BY first_address LIMIT 1',
    vpc_id,
    sortKey(block.last),
    sortKey(block.first),
  );
  if (sibling !== undefined) refuse(`which overlaps ${sibling.cidr_block} of the subnet ${quoted(sibling.name)}`);
}
