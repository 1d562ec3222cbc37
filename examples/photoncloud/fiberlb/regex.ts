/**
 * Regular expressions whose cost is bounded, for rules that strangers write: no backtracking. A pattern becomes a program
 * of at most 1000 steps, and all its threads walk through the text side by side, one character at a time (Thompson's
 * way); a match costs at most program × text steps, and a budget that the caller gives ends it before.
 *
 * The syntax is JavaScript's, in code points, less what has no bound: back-references and look-around are refused, and
 * so are inline flags. Greedy or lazy makes no difference where only "matches or not" is asked.
 */

/** A pattern that cannot be taken, and why. */
export class RegexError extends Error {}

/** Steps that may still be taken; shared by all matches of one request. */
export interface Budget {
  steps: number;
}

/** Thrown when a budget is used up. */
export class BudgetError extends Error {}

type CharTest = (code: number) => boolean;
type Assertion = (before: number, after: number) => boolean;

type Node =
  | { readonly kind: 'char'; readonly test: CharTest }
  | { readonly kind: 'assert'; readonly test: Assertion }
  | { readonly kind: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly nodes: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly least: number; readonly most: number };

type Instruction =
  | { readonly kind: 'char'; readonly test: CharTest }
  | { readonly kind: 'assert'; readonly test: Assertion }
  | { readonly kind: 'split'; to: number; or: number }
  | { readonly kind: 'match' };

const longestProgram = 1000;
const deepestNesting = 50;
/** So that one step costs only so much. */
const mostMembers = 64;
/** Before the first character and after the last. */
const edge = -1;

const isDigit: CharTest = (code) => code >= 0x30 && code <= 0x39;
const isWord: CharTest = (code) =>
  isDigit(code) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f;
const isSpace: CharTest = (code) => /^\s$/u.test(String.fromCodePoint(code));
const isNewline: CharTest = (code) => code === 0x0a || code === 0x0d || code === 0x2028 || code === 0x2029;
const not =
  (test: CharTest): CharTest =>
  (code) =>
    !test(code);

const classes: Readonly<Record<string, CharTest>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
};
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, '0': 0 };
const atBoundary: Assertion = (before, after) =>
  (before !== edge && isWord(before)) !== (after !== edge && isWord(after));

/** A compiled pattern. */
export class Regex {
  readonly #program: readonly Instruction[];

  /** Throws a `RegexError` for a pattern that is wrong, not supported or too large. */
  constructor(pattern: string) {
    const program: Instruction[] = [];
    emit(new Parser(pattern).parse(), program);
    add(program, { kind: 'match' });
    this.#program = program;
  }

  /** Whether the pattern matches somewhere in the text. Throws a `BudgetError` when the steps are used up. */
  test(text: string, budget: Budget = { steps: Infinity }): boolean {
    const codes = Array.from(text, (character) => character.codePointAt(0)!);
    const threads = new Threads(this.#program, budget);
    for (let at = 0; at <= codes.length; at++) {
      const [before, after] = [codes[at - 1] ?? edge, codes[at] ?? edge];
      if (threads.start(before, after)) return true;
      if (after !== edge && threads.step(after, codes[at + 1] ?? edge)) return true;
    }
    return false;
  }
}

/** The places in the program where a match may stand. */
class Threads {
  #waiting: number[] = [];
  #seen: Uint32Array;
  #round = 1;

  constructor(
    readonly program: readonly Instruction[],
    readonly budget: Budget,
  ) {
    this.#seen = new Uint32Array(program.length);
  }

  /** A match may begin here, too. True if one ends here. */
  start(before: number, after: number): boolean {
    return this.#follow(0, before, after);
  }

  /** Takes a character. True if a match ends after it. */
  step(code: number, after: number): boolean {
    const before = this.#waiting;
    this.#waiting = [];
    this.#round += 1;
    for (const place of before) {
      const instruction = this.program[place] as { test: CharTest };
      if (instruction.test(code) && this.#follow(place + 1, code, after)) return true;
    }
    return false;
  }

  /** Goes on from a place to all that can be reached without a character. */
  #follow(place: number, before: number, after: number): boolean {
    const open = [place];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (this.#seen[at] === this.#round) continue;
      this.#seen[at] = this.#round;
      this.budget.steps -= 1;
      if (this.budget.steps < 0) throw new BudgetError('no steps are left');
      const instruction = this.program[at]!;
      if (instruction.kind === 'match') return true;
      if (instruction.kind === 'char') this.#waiting.push(at);
      else if (instruction.kind === 'split') open.push(instruction.or, instruction.to);
      else if (instruction.test(before, after)) open.push(at + 1);
    }
    return false;
  }
}

function add(program: Instruction[], instruction: Instruction): void {
  if (program.length >= longestProgram) throw new RegexError('is too large; shorten it or its {m,n}');
  program.push(instruction);
}

function emit(node: Node, program: Instruction[]): void {
  switch (node.kind) {
    case 'char':
    case 'assert':
      return add(program, node);
    case 'sequence':
      return node.nodes.forEach((each) => emit(each, program));
    case 'choice':
      return emitChoice(node.nodes, program);
    case 'repeat':
      return emitRepeat(node.node, node.least, node.most, program);
  }
}

function emitChoice(nodes: readonly Node[], program: Instruction[]): void {
  const [first, ...rest] = nodes;
  if (rest.length === 0) return emit(first!, program);
  const split = emitSplit(program);
  emit(first!, program);
  const jump = emitSplit(program); // both ways lead to the end
  split.or = program.length;
  emitChoice(rest, program);
  jump.to = jump.or = program.length;
}

function emitRepeat(node: Node, least: number, most: number, program: Instruction[]): void {
  for (let n = 0; n < least; n++) {
    const before = program.length;
    emit(node, program);
    if (program.length === before) break; // nothing, however often
  }
  if (most === Infinity) {
    const begin = program.length;
    const split = emitSplit(program);
    emit(node, program);
    const back = emitSplit(program);
    back.to = back.or = begin;
    split.or = program.length;
    return;
  }
  const splits: { or: number }[] = [];
  for (let n = least; n < most; n++) {
    splits.push(emitSplit(program));
    emit(node, program);
  }
  for (const split of splits) split.or = program.length;
}

/** A split whose first way is what follows. */
function emitSplit(program: Instruction[]): { to: number; or: number } {
  const split = { kind: 'split' as const, to: program.length + 1, or: program.length + 1 };
  add(program, split);
  return split;
}

/** Reads a pattern. */
class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#characters.length) throw new RegexError('has a ) without its (');
    return node;
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(text: string): boolean {
    if (!text.split('').every((character, index) => this.#characters[this.#at + index] === character)) return false;
    this.#at += text.length;
    return true;
  }

  #choice(): Node {
    if (++this.#depth > deepestNesting) throw new RegexError(`is nested deeper than ${deepestNesting}`);
    const nodes = [this.#sequence()];
    while (this.#take('|')) nodes.push(this.#sequence());
    this.#depth -= 1;
    return { kind: 'choice', nodes };
  }

  #sequence(): Node {
    const nodes: Node[] = [];
    while (this.#next !== undefined && this.#next !== '|' && this.#next !== ')') nodes.push(this.#repeated());
    return { kind: 'sequence', nodes };
  }

  #repeated(): Node {
    const node = this.#atom();
    const counts = this.#counts();
    if (counts === undefined) return node;
    if (node.kind === 'assert') throw new RegexError('repeats ^, $ or \\b');
    this.#take('?'); // lazy: matches the same
    if (this.#counts() !== undefined) throw new RegexError('repeats a repetition; put it into a group');
    return { kind: 'repeat', node, ...counts };
  }

  #counts(): { least: number; most: number } | undefined {
    if (this.#take('*')) return { least: 0, most: Infinity };
    if (this.#take('+')) return { least: 1, most: Infinity };
    if (this.#take('?')) return { least: 0, most: 1 };
    if (this.#next !== '{') return undefined;
    const rest = this.#characters.slice(this.#at, this.#at + 16).join('');
    const found = /^\{(?<least>\d{1,4})(?<comma>,(?<most>\d{1,4})?)?\}/.exec(rest);
    if (found === null) throw new RegexError('has a { that is no repetition; write \\{ for the character');
    this.#at += found[0].length;
    const { least, comma, most } = found.groups as { least: string; comma?: string; most?: string };
    const bounds = { least: Number(least), most: comma === undefined ? Number(least) : Number(most ?? Infinity) };
    if (bounds.least > bounds.most) throw new RegexError(`has ${found[0]}, whose numbers are out of order`);
    return bounds;
  }

  #atom(): Node {
    const character = this.#next!;
    this.#at += 1;
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'char', test: this.#class() };
      case '.':
        return { kind: 'char', test: not(isNewline) };
      case '^':
        return { kind: 'assert', test: (before) => before === edge };
      case '$':
        return { kind: 'assert', test: (_, after) => after === edge };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
      case '{':
        throw new RegexError(`has a ${character} with nothing to repeat; write \\${character} for the character`);
      case ']':
      case '}':
        throw new RegexError(`has a ${character} by itself; write \\${character} for the character`);
      default:
        return charNode(character.codePointAt(0)!);
    }
  }

  #group(): Node {
    if (this.#take('?')) {
      const name = /^<[A-Za-z_]\w{0,31}>/.exec(this.#characters.slice(this.#at, this.#at + 34).join(''));
      if (name !== null) this.#at += name[0].length;
      else if (!this.#take(':')) throw new RegexError('has (? with what is not supported: only (?: and (?<name> are');
    }
    const node = this.#choice();
    if (!this.#take(')')) throw new RegexError('has a ( without its )');
    return node;
  }

  #escape(): Node {
    if (this.#take('b')) return { kind: 'assert', test: atBoundary };
    if (this.#take('B')) return { kind: 'assert', test: (before, after) => !atBoundary(before, after) };
    const found = this.#escaped();
    return typeof found === 'number' ? charNode(found) : { kind: 'char', test: found };
  }

  /** What follows a backslash: one character, or a class of them. */
  #escaped(): number | CharTest {
    const character = this.#next;
    if (character === undefined) throw new RegexError('ends with a \\');
    this.#at += 1;
    const found = Object.hasOwn(classes, character) ? classes[character] : controls[character];
    if (found !== undefined) return found;
    if (/^[1-9k]$/.test(character)) throw new RegexError('has a back-reference, which is not supported');
    if (character === 'x') return this.#hex(/^[0-9A-Fa-f]{2}/);
    if (character === 'u') return this.#hex(/^(?:[0-9A-Fa-f]{4}|\{[0-9A-Fa-f]{1,6}\})/);
    if (/^[A-Za-z]$/.test(character)) throw new RegexError(`has \\${character}, which is not supported`);
    return character.codePointAt(0)!;
  }

  #hex(form: RegExp): number {
    const found = form.exec(this.#characters.slice(this.#at, this.#at + 8).join(''))?.[0];
    if (found === undefined) throw new RegexError('has \\x or \\u without its digits');
    this.#at += found.length;
    return parseInt(found.replace(/[{}]/g, ''), 16);
  }

  #class(): CharTest {
    const negated = this.#take('^');
    const tests: CharTest[] = [];
    while (!this.#take(']')) {
      if (tests.length === mostMembers) throw new RegexError(`has more than ${mostMembers} members in []`);
      const from = this.#member();
      if (this.#next !== '-' || this.#characters[this.#at + 1] === ']') {
        tests.push(typeof from === 'number' ? (code) => code === from : from);
        continue;
      }
      this.#at += 1;
      const to = this.#member();
      if (typeof from !== 'number' || typeof to !== 'number' || from > to) {
        throw new RegexError('has a range in [] that goes from nowhere to nowhere');
      }
      tests.push((code) => from <= code && code <= to);
    }
    const any: CharTest = (code) => tests.some((test) => test(code));
    return negated ? not(any) : any;
  }

  #member(): number | CharTest {
    const character = this.#next;
    if (character === undefined) throw new RegexError('has a [ without its ]');
    this.#at += 1;
    if (character !== '\\') return character.codePointAt(0)!;
    return this.#take('b') ? 8 : this.#escaped();
  }
}

function charNode(code: number): Node {
  return { kind: 'char', test: (found) => found === code };
}
