/** `methods`: options of RPCs by selector, as in a file. Their members are checked later, where the method is known. */
import {
  asMap,
  fileName,
  type InputMap,
  type InputNode,
  type Kind,
  mapOf,
  type Plain,
  plain,
} from '../options/index.js';
import { retriesKind } from '../retry/index.js';
import type { MethodRule } from '../rule/index.js';
import type { OptionMessage, OptionValue } from '../schema/index.js';
import type { SourcePlace } from '../status.js';

/** The method options of a selector, and their original form. */
export interface MethodSetting extends MethodRule {
  readonly raw: Readonly<Record<string, Plain>>;
}

type MethodOptions = Pick<MethodSetting, 'option' | 'raw' | 'retries'>;

const text = { type: 'string' };
const closed = (properties: object): object => ({ type: 'object', properties, additionalProperties: false });
const listOf = (properties: object): object => ({ type: 'array', items: closed(properties) });

const methodOptions: Kind<MethodOptions, Readonly<Record<string, Plain>>> = {
  unit: '',
  jsonSchema: closed({
    success_status: { type: 'integer', minimum: 200, maximum: 399 },
    headers: listOf({ header: text, cookie: text, field: text }),
    response_headers: listOf({ header: text, field: text }),
    update_mask: { type: 'boolean' },
    sse: closed({ id: text, event: text, last_event_id: text, next: { type: 'boolean' } }),
    deadline: { ...text, description: 'none, or a time such as 5s' },
    retries: retriesKind.jsonSchema,
  }),
  readNode(node, reader) {
    const map = asMap(node, (name) => `the options of ${name} are a map, such as { success_status: 201 }`, reader);
    const raw = Object.fromEntries(map.members.map(({ name, value }) => [name, plain(value)]));
    // An annotation has no retries: they are no option of the message, and of a kind of their own.
    const members = map.members.filter((member) => fileName(member, reader) !== 'retries');
    const given = map.members.find((member) => !members.includes(member));
    const retries = given && reader.attempt('retries', given.place, () => retriesKind.readNode(given.value, reader));
    return {
      option: optionMessage({ ...map, members }),
      raw,
      ...(retries !== undefined && retries.length > 0 && { retries: retries[0] ?? false }),
    };
  },
  print: ({ raw }) => raw,
};

const expected = '"methods" is a map of selectors, such as "pkg.Service.Method: { success_status: 201 }"';
const entries = mapOf(methodOptions, expected);
const nowhere: SourcePlace = { file: '' };

/** The map `methods`: options by selector. */
export const methodsKind: Kind<readonly MethodSetting[], Readonly<Record<string, Readonly<Record<string, Plain>>>>> = {
  unit: '',
  jsonSchema: entries.jsonSchema,
  readNode: (node, reader) =>
    entries.readNode(node, reader).map(({ name, place = nowhere, value }) => ({ selector: name, place, ...value })),
  print: (methods) => Object.fromEntries(methods.map(({ selector, raw }) => [selector, raw])),
};

/** The map in the form of an annotation's option: a list repeats its member, and null is left out. */
function optionMessage(map: InputMap): OptionMessage {
  const fields = map.members.flatMap(({ name, value }) =>
    (value.kind === 'list' ? value.items : [value]).flatMap((item) => {
      const option = optionValue(item);
      return option === undefined ? [] : [{ name, value: option, place: item.place ?? nowhere }];
    }),
  );
  return { fields, place: map.place ?? nowhere };
}

function optionValue(node: InputNode): OptionValue | undefined {
  if (node.kind === 'map') return optionMessage(node);
  // No option has a list of lists.
  return node.kind === 'list' ? { fields: [], place: node.place ?? nowhere } : (node.value ?? undefined);
}
