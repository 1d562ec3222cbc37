/** Rules of protovalidate (`buf.validate`), checked over the wire bytes of messages. */
export { validateOptions } from './options.js';
export { RuleFault } from './checks.js';
export { type MessageCheck, Validator } from './validator.js';
export { pathText, type Violation, VIOLATIONS_TYPE_URL, violationsBytes, type Way } from './violation.js';
