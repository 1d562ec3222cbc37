/** Why a call failed, in two forms: clients must not see addresses and messages of upstreams, but operators must. */
export interface Reason {
  /** For clients. */
  readonly publicText: string;
  /** For operators, in logs. */
  readonly detail: string;
}

/** A reason with the same text for both audiences. */
export function sameForAll(text: string): Reason {
  return { publicText: text, detail: text };
}

/** An error with a reason for each audience. */
export class ReasonError extends Error {
  constructor(
    readonly reason: Reason,
    options?: ErrorOptions,
  ) {
    super(reason.detail, options);
  }
}
