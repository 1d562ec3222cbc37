/**
 * The search structure of one HTTP method and verb: a trie of path segments. The segments after a `**` are further tries below
 * its node, one for each length, which are matched against the end of the path.
 *
 * Every node has a fixed distance from the start or end of a path, so it is visited at most once: a search costs at most the
 * number of nodes, whatever the path. Recursion is as deep as the longest template, not as the path.
 */
import type { PathTemplate, Segment } from '../rule/index.js';
import type { PathSegments } from './segments.js';

/** The end of a template. */
export interface Leaf<T> {
  readonly template: PathTemplate;
  /** As in the rule: a token, or `*`. */
  readonly httpMethod: string;
  readonly value: T;
  readonly captures: CaptureLayout;
}

/** The segments that the variables of a template capture. */
export interface CaptureLayout {
  /** Index of the first and last segment of each variable. */
  readonly ranges: readonly number[];
  readonly segmentCount: number;
  /** Index of the `**`; `segmentCount` if there is none. */
  readonly deepIndex: number;
}

/** A node, with its children from the most to the least specific. */
export class TrieNode<T> {
  private readonly literals = new Map<string, TrieNode<T>>();
  /** The length of the longest literal child if every character is percent-encoded. */
  private maxRawLength = 0;
  private star: TrieNode<T> | undefined;
  private leaf: Leaf<T> | undefined;
  /** Templates that continue with `**`, by the number of segments after it, longest first. */
  private readonly deep: { readonly length: number; readonly root: TrieNode<T> }[] = [];

  /** Adds a template unless there is one of the same shape. */
  add(leaf: Leaf<T>): void {
    const { segments } = leaf.template;
    const { deepIndex, segmentCount } = leaf.captures;
    let node = TrieNode.descend(this, segments.slice(0, deepIndex));
    if (deepIndex < segmentCount) {
      const root = node.deepRoot(segmentCount - deepIndex - 1);
      node = TrieNode.descend(root, segments.slice(deepIndex + 1));
    }
    node.leaf ??= leaf;
  }

  /** The most specific leaf for the segments from `index` on. */
  find(path: PathSegments, index: number): Leaf<T> | undefined {
    path.visits++;
    if (index < path.count) {
      const found = this.findLiteral(path, index)?.find(path, index + 1);
      if (found !== undefined) return found;
      if (this.star !== undefined && path.lengthOf(index) > 0) {
        const starred = this.star.find(path, index + 1);
        if (starred !== undefined) return starred;
      }
    } else if (this.leaf !== undefined) {
      return this.leaf;
    }
    return this.deep.length === 0 ? undefined : this.findDeep(path, index);
  }

  private findLiteral(path: PathSegments, index: number): TrieNode<T> | undefined {
    // Otherwise a very long segment would be hashed again at each node.
    if (path.lengthOf(index) > this.maxRawLength) return undefined;
    const node = this.literals.get(path.textOf(index));
    if (node !== undefined || path.plain) return node;
    return this.literals.get(path.normalTextOf(index));
  }

  private findDeep(path: PathSegments, index: number): Leaf<T> | undefined {
    for (const { length, root } of this.deep) {
      if (length === 0) return root.leaf;
      const rest = path.count - length;
      if (rest < index || path.firstEmpty < rest) continue;
      const found = root.find(path, rest);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The node at the end of some literals and `*`; made if it does not exist. */
  private static descend<T>(from: TrieNode<T>, segments: readonly Segment[]): TrieNode<T> {
    let node = from;
    for (const segment of segments) {
      node = segment.kind === 'literal' ? node.literalChild(segment.normal) : (node.star ??= new TrieNode());
    }
    return node;
  }

  private literalChild(normal: string): TrieNode<T> {
    let child = this.literals.get(normal);
    if (child === undefined) this.literals.set(normal, (child = new TrieNode()));
    this.maxRawLength = Math.max(this.maxRawLength, 3 * normal.length);
    return child;
  }

  private deepRoot(length: number): TrieNode<T> {
    const known = this.deep.find((entry) => entry.length === length);
    if (known !== undefined) return known.root;
    const root = new TrieNode<T>();
    this.deep.push({ length, root });
    this.deep.sort((a, b) => b.length - a.length);
    return root;
  }
}

/** Computes the capture layout of a template. */
export function captureLayout(template: PathTemplate): CaptureLayout {
  const segmentCount = template.segments.length;
  const deepIndex = template.deepIndex;
  return {
    // The copy drops the spare capacity of the list that flatMap makes.
    ranges: template.variables.flatMap(({ first, last }) => [first, last]).slice(),
    segmentCount,
    deepIndex: deepIndex < 0 ? segmentCount : deepIndex,
  };
}

/** Offsets `[start, end, …]` of the variables in a matched path. */
export function captureOffsets(layout: CaptureLayout, path: PathSegments): number[] {
  const { ranges, deepIndex } = layout;
  // The number of segments that the `**` captures, minus one.
  const shift = path.count - layout.segmentCount;
  const offsets: number[] = new Array<number>(ranges.length);
  for (let index = 0; index < ranges.length; index += 2) {
    const first = ranges[index]!;
    const last = ranges[index + 1]!;
    const from = first > deepIndex ? first + shift : first;
    const to = last >= deepIndex ? last + shift : last;
    const start = path.startOf(from);
    offsets[index] = start;
    offsets[index + 1] = to < from ? start : path.endOf(to);
  }
  return offsets;
}
