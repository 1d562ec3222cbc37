export { bindingsOf, type Binding } from './binding.js';
export { fieldPathText, hasTextForm, isTextType, type FieldPath } from './field-path.js';
export { checkRpcSelectors, mergeMethodRules, type MethodRule, selectorRank } from './method-rules.js';
export { compareOrigins, placeText, type RuleOrigin } from './origin.js';
export { RuleFiles, RuleSet } from './rule-files.js';
export { isSelector, selectorMatches, selectServices } from './selector.js';
export { PathTemplate, type Segment } from './template.js';
export { plainRule, type ProposedRule, proposeRules } from './suggest.js';
export { warnOfVisibility } from './visibility.js';
