/**
 * Which requests of a connection are under way, and which wait: for an earlier one to end, for a fair share of what the
 * listener serves at once, or because this client has too much to read already. A waiting request costs no call.
 */
import { RequestTable, type Slotted } from '../request-table.js';

/** Bytes that may wait for the client of one connection before its calls are held back. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

/** How much of that one response counts for at most: a large one must not hold back all others while it is sent. */
const MAX_COUNTED_BYTES = MAX_UNSENT_BYTES / 4;

/** Responses up to this size do not count: all that a connection may have together are small. */
export const SMALL_ANSWER_BYTES = 16 * 1024;

/** What an intake needs to know of a request. */
export interface Accountable extends Slotted {
  /** Bytes of its response that the client has not taken. */
  readonly unsentBytes: number;
}

/** A connection with waiting requests. */
interface Waiting {
  /** Starts its next request; false if it may not. */
  startNext(): boolean;
}

/** How many requests of a listener are under way, and which connections wait for their share. */
export class Capacity {
  private active = 0;
  private readonly waiting = new Set<Waiting>();
  private isScheduled = false;

  /** @param limit how many there may be; called each time, as a reload may change it */
  constructor(private readonly limit: () => number) {}

  /**
   * True if a connection with so many requests under way may start another. It leaves as many free as it has itself: one
   * connection gets at most a half, two get two thirds, and there is always room for new ones. The first request of a
   * connection may always start: if there are too many, the handler refuses it.
   */
  allows(own: number): boolean {
    return own === 0 || own < this.limit() - this.active;
  }

  /** A request has started. */
  started(): void {
    this.active++;
  }

  /** A request has ended. */
  ended(): void {
    this.active--;
    if (this.waiting.size === 0 || this.isScheduled) return;
    this.isScheduled = true;
    // Once for all requests that end in one turn of the event loop.
    setImmediate(() => {
      this.isScheduled = false;
      this.startWaiting();
    });
  }

  /** The connection has requests that wait. */
  wait(connection: Waiting): void {
    this.waiting.add(connection);
  }

  /** The connection has none any more. */
  forget(connection: Waiting): void {
    this.waiting.delete(connection);
  }

  /** True if another connection waits, too. */
  hasOthers(connection: Waiting): boolean {
    return this.waiting.size > (this.waiting.has(connection) ? 1 : 0);
  }

  /** One request of each connection in turn. */
  private startWaiting(): void {
    for (let hasStarted = true; hasStarted;) {
      hasStarted = false;
      for (const connection of [...this.waiting]) if (connection.startNext()) hasStarted = true;
    }
  }
}

/** A request whose bytes are held back for want of room. */
interface Held {
  readonly bytes: number;
  readonly onRoom: () => void;
}

/** The requests of one connection, in the order in which they came. */
export class Intake<T extends Accountable> implements Waiting {
  private readonly started = new RequestTable<T>();
  private readonly waiting = new Map<T, () => void>();
  /** Requests with more unsent bytes than their streams buffer: those that count. */
  private readonly congested = new Set<T>();
  /** Announced bytes of requests that have room for them. */
  private readonly expected = new Map<T, number>();
  /** Requests that have not. */
  private readonly held = new Map<T, Held>();
  private isWaiting = false;

  /** @param onWaiting called when the first request has to wait, and when none does any more */
  constructor(
    private readonly capacity: Capacity,
    private readonly maxRequests: number,
    private readonly onWaiting: (isWaiting: boolean) => void = () => undefined,
  ) {}

  /** Requests under way and those that wait. */
  get size(): number {
    return this.started.size + this.waiting.size;
  }

  get hasWaiting(): boolean {
    return this.isWaiting;
  }

  /** All requests, the oldest first: a copy. */
  all(): T[] {
    return [...this.started, ...this.waiting.keys()];
  }

  /** Calls `start` when the request may be served: at once, later, or never if it leaves before. */
  enter(request: T, start: () => void): void {
    if (this.waiting.size === 0 && this.mayStart()) return this.start(request, start);
    this.waiting.set(request, start);
    this.update();
  }

  /** The response has left, or its client has. Does nothing the second time. */
  leave(request: T): void {
    if (this.waiting.delete(request)) return this.update();
    if (!this.started.delete(request)) return;
    this.congested.delete(request);
    this.expected.delete(request);
    this.held.delete(request);
    this.capacity.ended();
    if (this.isWaiting || this.held.size > 0) this.proceed();
  }

  /** Removes the requests that wait, and returns them: they are never served. */
  dropWaiting(): T[] {
    const dropped = [...this.waiting.keys()];
    this.waiting.clear();
    this.update();
    return dropped;
  }

  /** More of the response waits than its stream buffers. */
  addUnsent(request: T): void {
    this.expected.delete(request);
    if (this.started.has(request)) this.congested.add(request);
  }

  /** Some unsent bytes have been sent; `isAll`: what is left does not count. */
  sent(request: T, isAll: boolean): void {
    if (isAll && !this.congested.delete(request)) return;
    if (this.isWaiting || this.held.size > 0) this.proceed();
  }

  /**
   * Announces bytes of a response; 0: they have arrived. False: there is no room for them, hold them back until `onRoom` is
   * called. The oldest request always has room, as all others may have to wait for it.
   */
  expect(request: T, bytes: number, onRoom: () => void): boolean {
    this.expected.delete(request);
    this.held.delete(request);
    if (bytes === 0 || !this.started.has(request)) return true;
    if (!this.hasRoom(request, bytes)) {
      this.held.set(request, { bytes, onRoom });
      return false;
    }
    this.expected.set(request, bytes);
    return true;
  }

  private start(request: T, start: () => void): void {
    this.started.add(request);
    this.capacity.started();
    start();
  }

  /** A request has ended, or bytes have left. */
  private proceed(): void {
    for (const [request, { bytes, onRoom }] of this.held) {
      if (!this.hasRoom(request, bytes)) continue;
      this.held.delete(request);
      this.expected.set(request, bytes);
      onRoom();
    }
    // If other connections wait, too, the next turn of the event loop starts one of each.
    while (!this.capacity.hasOthers(this) && this.startNext());
  }

  /** Starts the next request; false if it may not, or there is none. */
  startNext(): boolean {
    const [next] = this.waiting;
    if (next === undefined || !this.mayStart()) return false;
    const [request, start] = next;
    this.waiting.delete(request);
    this.start(request, start);
    this.update();
    return true;
  }

  private mayStart(): boolean {
    const own = this.started.size;
    return own < this.maxRequests && this.capacity.allows(own) && this.unsentBytes() < MAX_UNSENT_BYTES;
  }

  private hasRoom(request: T, bytes: number): boolean {
    const [oldest] = this.started;
    if (oldest === request) return true;
    return this.unsentBytes() + counted(bytes) <= MAX_UNSENT_BYTES;
  }

  private unsentBytes(): number {
    let bytes = 0;
    // Small answers are never here.
    if (this.congested.size + this.expected.size === 0) return bytes;
    for (const request of this.congested) bytes += counted(request.unsentBytes);
    for (const expected of this.expected.values()) bytes += counted(expected);
    return bytes;
  }

  private update(): void {
    const isWaiting = this.waiting.size > 0;
    if (isWaiting === this.isWaiting) return;
    this.isWaiting = isWaiting;
    if (isWaiting) this.capacity.wait(this);
    else this.capacity.forget(this);
    this.onWaiting(isWaiting);
  }
}

function counted(bytes: number): number {
  return Math.min(bytes, MAX_COUNTED_BYTES);
}
