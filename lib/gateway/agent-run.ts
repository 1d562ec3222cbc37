/** One message of an agent: the body is collected, and the endpoint of MCP answers it. */
import type { Exchange, RequestHead } from '../exchange.js';
import type { EndpointOutcome, McpEndpoint, RunningCall } from '../mcp/index.js';
import { checkAnnouncedLength, collectBody } from './body.js';
import { type FaultOwner, quietly } from './quietly.js';

/** Gets the answer, or why there is none. Never throws. */
export interface AgentOutcome extends EndpointOutcome, FaultOwner {
  onError(error: unknown): void;
}

/** What a run is made from. */
export interface AgentParts {
  readonly exchange: Exchange;
  readonly head: RequestHead;
  /** See `Gateway.handle`. */
  readonly base: string;
  readonly endpoint: McpEndpoint;
  readonly maxBodyBytes: number;
  readonly outcome: AgentOutcome;
}

/** One message on its way. */
export class AgentRun {
  private call: RunningCall | undefined;
  private isGone = false;

  constructor(private readonly parts: AgentParts) {}

  /** @throws StatusError for a head that is not one of MCP */
  start(): void {
    const { exchange, head, base, endpoint, maxBodyBytes, outcome } = this.parts;
    const reply = endpoint.answerHead(head);
    if (reply !== undefined) return outcome.onReply(reply);
    checkAnnouncedLength(exchange, maxBodyBytes, []);
    collectBody(exchange, maxBodyBytes, [], {
      onBody: (body) => {
        try {
          if (!this.isGone) this.call = endpoint.handle(exchange, head, base, body, outcome);
        } catch (error) {
          outcome.onError(error);
        }
      },
      onFailure: (error) => {
        if (error !== undefined) outcome.onError(error);
      },
    });
  }

  /** Nobody waits for the answer any more. */
  clientGone(): void {
    this.isGone = true;
    const { call } = this;
    if (call !== undefined) quietly(() => call.cancel(), this.parts.outcome);
  }
}
