/** Steps that nothing depends on any more: what they throw must not keep a request from its end. */

/** Who is told of a fault of ours that changes nothing about the answer. Never throws. */
export interface FaultOwner {
  report(cause: unknown): void;
}

/** Runs a step; never throws. */
export function quietly(step: () => void, owner: FaultOwner): void {
  try {
    step();
  } catch (error) {
    owner.report(error);
  }
}
