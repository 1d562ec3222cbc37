/**
 * A ring of hashes: a key belongs to the next server on it. If a server cannot be used, only its own keys move on, each to the server behind it.
 * Points lie where Envoy's RING_HASH puts them.
 */
import { xxHash64 } from './xxhash.js';

/** Least number of points, as in Envoy: more spread keys more evenly. */
const MIN_POINTS = 1024;
/** Limit of points, which very unequal weights reach: each costs memory. */
const MAX_POINTS = 64 * 1024;

/** A server on the ring. */
export interface RingMember {
  /** `10.0.0.1:50051` */
  readonly name: string;
  readonly weight: number;
}

interface Point<T> {
  readonly hash: bigint;
  readonly member: T;
}

/** Points of all members, sorted. */
export class Ring<T extends RingMember> {
  private readonly points: readonly Point<T>[];

  constructor(members: readonly T[]) {
    const total = members.reduce((sum, { weight }) => sum + weight, 0);
    const shares = members.map(({ weight }) => weight / total);
    const least = Math.min(...shares);
    // The lightest member has a whole number of points.
    const scale = Math.min(Math.ceil(least * MIN_POINTS) / least, MAX_POINTS);
    const points: Point<T>[] = [];
    let wanted = 0;
    for (const [index, member] of members.entries()) {
      wanted += scale * (shares[index] ?? 0);
      for (let count = 0; points.length < wanted; count++) {
        points.push({ hash: xxHash64(`${member.name}_${count}`), member });
      }
    }
    this.points = points.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0));
  }

  /** The first member at or behind the key that is accepted; undefined if none is. */
  find(key: bigint, accepts: (member: T) => boolean): T | undefined {
    const { points } = this;
    const start = this.startOf(key);
    const refused = new Set<T>();
    for (let step = 0; step < points.length; step++) {
      const member = points[(start + step) % points.length]?.member;
      if (member === undefined || refused.has(member)) continue;
      if (accepts(member)) return member;
      refused.add(member);
    }
    return undefined;
  }

  private startOf(key: bigint): number {
    let [low, high] = [0, this.points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const point = this.points[middle];
      if (point !== undefined && point.hash < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The key of a text. */
export const keyOf = xxHash64;
