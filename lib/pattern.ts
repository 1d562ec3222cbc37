/**
 * Regular expressions of configurations: RE2's syntax and its linear time, by RE2JS. JavaScript's own could be made to run for ever by
 * a path.
 */
import type { RE2JS } from 're2js';
import { OptionError } from './options/index.js';
import { re2js } from './packages.js';

/** Longer ones are refused. */
const MAX_PATTERN_LENGTH = 4096;

/**
 * The pattern itself.
 * @throws OptionError if it is none
 */
export function checkPattern(pattern: string): string {
  compilePattern(pattern);
  return pattern;
}

/** @throws OptionError */
export function compilePattern(pattern: string): RE2JS {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new OptionError(`the pattern has ${pattern.length} characters, at most ${MAX_PATTERN_LENGTH} are taken`);
  }
  try {
    return re2js().RE2JS.compile(pattern);
  } catch (error) {
    throw new OptionError(
      `${JSON.stringify(pattern)} is no regular expression: ${(error as Error).message}`,
      'config-type',
    );
  }
}

/** `\1` → `$01`, as RE2JS has it; a dollar is itself. @throws OptionError for a group that the pattern does not have */
export function substitutionOf(pattern: RE2JS, substitution: string): string {
  const groups = pattern.groupCount();
  return substitution.replace(/\$|\\(.?)/g, (all, escaped: string | undefined) => {
    if (all === '$') return '$$';
    if (escaped === '\\') return '\\';
    if (escaped === '0') return '$&';
    if (escaped !== undefined && /^\d$/.test(escaped) && Number(escaped) <= groups) return `$0${escaped}`;
    throw new OptionError(`the substitution has ${JSON.stringify(all)}; expected \\0 to \\${groups}`, 'config-type');
  });
}

/** @throws OptionError */
export function checkSubstitution(pattern: string, substitution: string): void {
  substitutionOf(compilePattern(pattern), substitution);
}
