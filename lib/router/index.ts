export * from './builder.js';
export { PathMatcher, type Match } from './matcher.js';
