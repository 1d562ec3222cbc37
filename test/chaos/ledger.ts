/** What clients sent, what they were told, and what servers wrote down; and what must hold between the three. */

/**
 * What a client knows in the end. `ok`: it has the right answer. `refused`: nothing was done, says the answer. `unknown`: an
 * error that leaves open whether it was done. `left`: the client went away itself.
 */
export type Outcome =
  | { readonly kind: 'ok' }
  | { readonly kind: 'refused' | 'unknown' | 'left'; readonly why: string }
  | { readonly kind: 'wrong'; readonly why: string };

export interface Request {
  readonly id: string;
  /** `POST do, HTTP/1`, for people. */
  readonly what: string;
  /** How often servers may see it. */
  readonly mostSeen: number;
  /** Its messages stream to the server, so that it notes the end of them. */
  readonly isUpload: boolean;
}

/** A request that has not been answered after so long hangs. */
const HANG_MS = 40_000;

export class Ledger {
  readonly problems: string[] = [];
  readonly counts = new Map<string, number>();
  readonly reasons = new Map<string, number>();
  private readonly outcomes = new Map<string, { readonly request: Request; readonly outcome: Outcome }>();

  constructor(
    /** Clients that go away never look as if they had sent everything: not with grpc-js, as it says itself. */
    private readonly marksBrokenUploads: boolean,
  ) {}

  /** Runs a request to its outcome. */
  async run(request: Request, send: () => Promise<Outcome>): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined;
    const hang = new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => resolve({ kind: 'wrong', why: `no answer within ${HANG_MS / 1000} s` }), HANG_MS);
    });
    const failed = (error: unknown): Outcome => ({ kind: 'wrong', why: String(error) });
    const outcome = await Promise.race([send().catch(failed), hang]);
    clearTimeout(timer);
    if (this.outcomes.has(request.id)) this.problems.push(`${request.id} was answered twice`);
    this.outcomes.set(request.id, { request, outcome });
    this.count(this.counts, outcome.kind);
    if (outcome.kind !== 'ok') {
      const why = outcome.why.replace(/ after \d.*|\d[\d.]{2,}/gs, ' …');
      this.count(this.reasons, `${outcome.kind}: ${why}`);
    }
    if (outcome.kind === 'wrong') this.problems.push(`${request.what} ${request.id}: ${outcome.why}`);
    return outcome;
  }

  get size(): number {
    return this.outcomes.size;
  }

  /** Compares with what the servers wrote down. */
  check(lines: readonly string[]): void {
    const seen = new Map<string, number>();
    const whole = new Map<string, number>();
    for (const line of lines) {
      const [what, id, ...more] = line.split(' ') as [string, string];
      if (more.length > 0) this.problems.push(`mixed up: ${line}`);
      this.count(what === 'seen' ? seen : whole, id);
    }
    for (const { request, outcome } of this.outcomes.values()) {
      const { id, what, mostSeen, isUpload } = request;
      const times = seen.get(id) ?? 0;
      const problem = (text: string): number => this.problems.push(`${what} ${id}: ${text}`);
      if (times > mostSeen) problem(`servers have seen it ${times} times, and ${mostSeen} is the most`);
      if (outcome.kind === 'ok' && times === 0) problem('it was answered, and no server has seen it');
      if (outcome.kind === 'refused' && mostSeen === 1 && times > 0) {
        problem(`told that nothing was done (${outcome.why}), and a server has seen it`);
      }
      if (!isUpload) continue;
      const ends = whole.get(id) ?? 0;
      if (outcome.kind === 'ok' && ends === 0) problem('it was answered, and no server has seen its end');
      if (outcome.kind === 'left' && ends > 0 && this.marksBrokenUploads) problem('half of it was taken for whole');
    }
    for (const id of seen.keys()) if (!this.outcomes.has(id)) this.problems.push(`nobody has sent ${id}`);
  }

  private count(counts: Map<string, number>, name: string): void {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
}
