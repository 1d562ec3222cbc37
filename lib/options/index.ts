export {
  type Field,
  field,
  fieldOr,
  type Fields,
  type GivenOf,
  innerName,
  isLeaf,
  type InputsOf,
  type Kind,
  type KindValue,
  leaf,
  type LeafKind,
  requiredField,
  type Unit,
  type ValuesOf,
} from './kind.js';
export { choicesValue, headerNamesValue, hostNamesValue, listValue, namesValue, statusMapValue } from './lists.js';
export { camelCase as libraryName, flagName, snakeCase } from './names.js';
export {
  type InputList,
  type InputMap,
  type InputMember,
  type InputNode,
  nodeOf,
  type Plain,
  plain,
  shown,
} from './node.js';
export { OptionError, Reader, type ReaderSettings } from './reader.js';
export {
  asMap,
  converted,
  fieldsSchema,
  fileName,
  isFalse,
  listOf,
  type MapEntry,
  mapOf,
  oneOf,
  oneOrMany,
  orFalse,
  pickFields,
  printFields,
  readFields,
  record,
  unknownName,
} from './record.js';
export * from './scalars.js';
export {
  type AliasesOf,
  defaultsOf,
  groups,
  option,
  type OptionInputsOf,
  type OptionRow,
  type OptionsOf,
  type OptionTable,
  type PresetName,
  presetNames,
  presetOf,
  presetOption,
} from './table.js';
export { parseYaml } from './yaml.js';
