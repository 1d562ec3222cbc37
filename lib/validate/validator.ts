/** The rules of a schema, ready to check requests by. */
import type { MessageDescriptor, Schema } from '../schema/types.js';
import { Annotations } from './annotations.js';
import { CelCompiler } from './cel.js';
import type { Marks } from './marks.js';
import { Planner } from './plan.js';
import type { Violation } from './violation.js';
import { Walk } from './walk.js';

/**
 * Checks a message in wire form.
 * @throws WireError if the bytes are no message
 * @throws RuleFault if a rule cannot be applied to a value
 */
export type MessageCheck = (wire: Buffer) => readonly Violation[];

/** Compiles the rules of messages. */
export class Validator {
  private readonly planner: Planner;
  private readonly cel: () => CelCompiler;

  /**
   * @param maxViolations after so many, the rest of a message is not checked
   * @param marks what counts as a rule. Default: what `buf.validate` says
   */
  constructor(
    schema: Schema,
    private readonly maxViolations: number,
    marks: Marks = { rules: true, required: false, formats: false },
  ) {
    let compiler: CelCompiler | undefined;
    this.cel = () => (compiler ??= new CelCompiler(schema));
    this.planner = new Planner(new Annotations(schema), this.cel, marks);
  }

  /**
   * The check of a type of messages; undefined if there are no rules for it.
   * @throws ConfigError with what is wrong with the rules
   */
  checkOf(type: MessageDescriptor): MessageCheck | undefined {
    const plan = this.planner.planOf(type);
    if (plan === undefined) return undefined;
    return (wire) => {
      const walk = new Walk(this.cel, this.maxViolations);
      walk.check(plan, wire);
      return walk.violations;
    };
  }
}
