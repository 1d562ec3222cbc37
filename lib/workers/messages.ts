/** What the primary and its workers say to each other, as JSON over the channel that `node:cluster` opens between them. */
import type { Problem } from '../status.js';

/** From the primary: what a worker is to do. */
export interface Order {
  readonly order: 'reload' | 'drain';
}

/** From the primary: what it wants to know. It may be asked at any time, also while the worker reloads or drains. */
export interface Question {
  readonly ask: string;
  readonly detail: string;
  readonly id: number;
}

/** The one question that is answered here: by `true`, as soon as the event loop turns. */
export const ALIVE = 'alive';

/** What a worker serves, once it listens and after each reload. */
export interface Serving {
  /** The base URL of each listener, in order. */
  readonly urls: readonly string[];
  readonly warnings: readonly Problem[];
  /** The files and folders that it was read from. */
  readonly files: readonly string[];
}

/** Why a worker did not start, or kept its routes; `files` is where that may be mended. */
export interface Refused {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly files: readonly string[];
}

/** From a worker: one report after its start, and one for each order to reload. */
export type Report = { readonly serving: Serving } | { readonly refused: Refused };

/** From a worker: what it knows, under the number of the question; without `answer` if it does not know. */
export interface Answer {
  readonly id: number;
  readonly answer?: unknown;
}

/** From a worker that has drained: the last that it says. */
export interface Parting {
  readonly parting: unknown;
}
