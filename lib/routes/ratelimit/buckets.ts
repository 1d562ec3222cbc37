/**
 * Token buckets by key, in bounded memory and at constant cost: there is no timer, and no bucket is looked at without a
 * request. A bucket is one number, the moment at which it is full again (the generic cell rate algorithm). One that is full
 * says nothing, and so its place is free for another key.
 *
 * If more keys are in use than there are places, the fullest of a few buckets is dropped, and from then on whoever is not
 * known starts with as few tokens as that one had. So nobody gains by being forgotten: a flood of other keys is no way to
 * a full bucket.
 */

/** What a bucket holds, and how fast it fills. */
export interface BucketSize {
  /** Tokens of a full bucket. */
  readonly burst: number;
  /** In which one token comes back. */
  readonly tokenMs: number;
  /** The largest number of buckets. */
  readonly maxKeys: number;
}

/** How many buckets are looked at to find the place of a new one. */
const CANDIDATES = 16;
/** Of a token, for sums that are not exact. */
const TOLERANCE = 1e-6;

/** The buckets of one limit. Times are those of a monotonic clock, in milliseconds. */
export class TokenBuckets {
  private readonly places = new Map<string, number>();
  private readonly keys: string[] = [];
  /** By place: when the bucket is full again. */
  private readonly fullAt: number[] = [];
  private next = 0;
  /** When the bucket of an unknown key is full. */
  private othersFullAt = -Infinity;

  constructor(readonly bucket: BucketSize) {}

  /** How many keys are known. */
  get size(): number {
    return this.keys.length;
  }

  /** The tokens of a key, with fractions; a request needs one. */
  tokens(key: string, now: number): number {
    const place = this.places.get(key);
    const fullAt = place === undefined ? this.othersFullAt : this.fullAt[place]!;
    const { burst, tokenMs } = this.bucket;
    return burst - Math.max(0, fullAt - now) / tokenMs + TOLERANCE;
  }

  /** Takes one token, which must be there. */
  take(key: string, now: number): void {
    const place = this.places.get(key) ?? this.newPlace(key, now);
    this.fullAt[place] = Math.max(this.fullAt[place]!, now) + this.bucket.tokenMs;
  }

  private newPlace(key: string, now: number): number {
    const fullest = this.fullestOfNext();
    const isFree = fullest !== undefined && this.fullAt[fullest]! <= now;
    const place = isFree || this.size >= this.bucket.maxKeys ? fullest! : this.size;
    const dropped = this.keys[place];
    if (dropped !== undefined) {
      this.places.delete(dropped);
      this.othersFullAt = Math.max(this.othersFullAt, this.fullAt[place]!);
    }
    this.places.set(key, place);
    this.keys[place] = key;
    this.fullAt[place] = this.othersFullAt;
    return place;
  }

  /** Each call looks at other places than the one before. */
  private fullestOfNext(): number | undefined {
    const { size, fullAt, next } = this;
    const count = Math.min(CANDIDATES, size);
    let fullest: number | undefined;
    for (let step = 0; step < count; step++) {
      const place = (next + step) % size;
      if (fullest === undefined || fullAt[place]! < fullAt[fullest]!) fullest = place;
    }
    if (size > 0) this.next = (next + count) % size;
    return fullest;
  }
}
