/** Rules of protovalidate (`buf.validate`), checked over the wire bytes of messages. */
export { type ValidateOptions, validateOptions } from './options.js';
export { Annotations, type MessageAnnotations, noAnnotations } from './annotations.js';
export { type Check, compileChecks, RuleFault } from './checks.js';
export { type FieldRules, Ignore, type TypedRules } from './rules.js';
export { durationText, timestampText, type Value as RuleValue, zeroOf } from './values.js';
export { type MessageCheck, Validator } from './validator.js';
export { pathText, type Violation, VIOLATIONS_TYPE_URL, violationsBytes, type Way } from './violation.js';
