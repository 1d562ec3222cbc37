export { bindingsOf, type Binding, type BindingOptions, type BodyBinding, type BoundVariable } from './binding.js';
export { fieldPathText, hasTextForm, isTextType, resolveFieldPath, type Fault, type FieldPath } from './field-path.js';
export { readHttpRules, type HttpRule } from './http-rule.js';
export {
  noMethodOptions,
  readMethodOptions,
  type MethodOptions,
  type RequestHeaderBinding,
  type ResponseHeaderBinding,
  type SseOptions,
} from './method-options.js';
export {
  checkRpcSelectors,
  mergeMethodRules,
  type MethodRule,
  type PlacedSelector,
  selectorRank,
} from './method-rules.js';
export { RpcProblems } from './option-reader.js';
export { compareOrigins, placeText, type RuleOrigin } from './origin.js';
export { RuleFiles, RuleSet, type RuleFileUse } from './rule-files.js';
export { isSelector, selectorMatches, selectServices } from './selector.js';
export {
  maxTemplateLength,
  parseTemplate,
  PathTemplate,
  TemplateError,
  type LiteralSegment,
  type Segment,
  type TemplateVariable,
} from './template.js';
