/** Changes of header lists, in the order in which they are written. */
import { header, type HeaderFields, isHeaderValue, withoutFields } from '../headers.js';
import { type CommandContext, compileValue } from '../commands.js';
import type { HeaderChangeSettings } from './options.js';

/** Returns the changed list. */
export type HeaderChanges = (fields: HeaderFields, context: CommandContext) => HeaderFields;

/** Undefined if nothing changes. */
export function compileChanges(settings: readonly HeaderChangeSettings[] = []): HeaderChanges | undefined {
  if (settings.length === 0) return undefined;
  const changes = settings.map(compileChange);
  return (fields, context) => changes.reduce((changed, change) => change(changed, context), fields);
}

function compileChange({ remove, name, value = '', action, keepEmpty = false }: HeaderChangeSettings): HeaderChanges {
  if (remove !== undefined) return (fields) => withoutFields(fields, (other) => other === remove);
  const key = name!;
  const write = compileValue(value);
  return (fields, context) => {
    const text = write(context);
    if ((text === '' && !keepEmpty) || !isHeaderValue(text)) return fields;
    const isThere = header(fields, key) !== undefined;
    switch (action) {
      case 'add_if_absent':
        return isThere ? fields : [...fields, key, text];
      case 'overwrite_if_exists':
        return isThere ? replaced(fields, key, text) : fields;
      case 'overwrite_if_exists_or_add':
        return replaced(fields, key, text);
      default:
        return [...fields, key, text];
    }
  };
}

function replaced(fields: HeaderFields, name: string, value: string): HeaderFields {
  return [...withoutFields(fields, (other) => other === name), name, value];
}
