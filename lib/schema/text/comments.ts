/**
 * Assigns comments to declarations as protoc does (`SourceCodeInfo.Location` in descriptor.proto). A gap is the text between
 * the end of one declaration (`;`, `{` or `}`) and the next token. Its comments either trail the declaration before it, lead
 * the declaration after it, or are detached.
 */

/** The comments of a gap that belong to a declaration; '' if there is none. */
export interface GapComments {
  /** Of the declaration that ended before the gap. */
  readonly trailing: string;
  /** Of the declaration that starts after the gap. */
  readonly leading: string;
}

interface Block {
  readonly text: string;
  /** A `/* *\/` comment, which is never joined with another one. */
  readonly block: boolean;
  /** Line breaks between its start and the preceding token or comment. */
  readonly breaksBefore: number;
}

/**
 * Splits the comments of `text[from, to)`.
 * @param afterToken false at the start of a file, where no comment can trail a declaration.
 */
export function gapComments(text: string, from: number, to: number, afterToken: boolean): GapComments {
  const { blocks, breaksAfter } = readBlocks(text, from, to);
  if (blocks.length === 0) return { trailing: '', leading: '' };
  const first = blocks[0]!;
  const last = blocks[blocks.length - 1]!;
  const closes = to >= text.length || '})]'.includes(text[to]!);
  let trailing = afterToken && trailsToken(blocks, breaksAfter, closes) ? first : undefined;
  const leads = !closes && breaksAfter <= 1 && last !== trailing && !(afterToken && onOneLine(blocks, breaksAfter));
  // A single comment that touches the lines of both neighbours is ambiguous, so it belongs to neither.
  if (trailing !== undefined && blocks.length === 1 && breaksAfter === 0) trailing = undefined;
  return {
    trailing: trailing === undefined ? '' : trimComment(trailing.text),
    leading: leads ? trimComment(last.text) : '',
  };
}

/** `;  /* comment *\/  next`: there is no line break. */
function onOneLine(blocks: readonly Block[], breaksAfter: number): boolean {
  return breaksAfter === 0 && blocks.length === 1 && blocks[0]!.breaksBefore === 0;
}

/** On the line of the declaration, or on the next one if a blank line, another comment or the end of a scope follows. */
function trailsToken(blocks: readonly Block[], breaksAfter: number, closes: boolean): boolean {
  const first = blocks[0]!;
  if (first.breaksBefore === 0) return true;
  if (first.breaksBefore > 1) return false;
  return blocks.length > 1 || breaksAfter > 1 || closes;
}

function readBlocks(text: string, from: number, to: number): { blocks: Block[]; breaksAfter: number } {
  const blocks: Block[] = [];
  let breaks = 0;
  let pos = from;
  while (pos < to) {
    if (text[pos] !== '/') {
      if (text[pos] === '\n') breaks++;
      pos++;
      continue;
    }
    const block = text[pos + 1] === '*';
    const end = block ? endOfBlock(text, pos, to) : endOfLine(text, pos, to);
    const content = block ? blockText(text.slice(pos + 2, end - 2)) : text.slice(pos + 2, end);
    const previous = blocks[blocks.length - 1];
    // Line comments on consecutive lines are joined, except one on the line of the declaration.
    if (
      !block &&
      previous !== undefined &&
      !previous.block &&
      breaks === 1 &&
      !(blocks.length === 1 && previous.breaksBefore === 0)
    ) {
      blocks[blocks.length - 1] = { ...previous, text: `${previous.text}\n${content}` };
    } else {
      blocks.push({ text: content, block, breaksBefore: breaks });
    }
    breaks = 0;
    pos = end;
  }
  return { blocks, breaksAfter: breaks };
}

function endOfLine(text: string, pos: number, to: number): number {
  const end = text.indexOf('\n', pos);
  return end < 0 || end > to ? to : end;
}

function endOfBlock(text: string, pos: number, to: number): number {
  const end = text.indexOf('*/', pos + 2);
  return end < 0 || end + 2 > to ? to : end + 2;
}

/** Removes the leading white space and `*` of continuation lines of a block comment. */
function blockText(content: string): string {
  return content.replace(/\n[ \t\r\f\v]*\*?/g, '\n');
}

/** The text of a comment without markers, without one leading space on each line, trailing space and outer blank lines. */
export function trimComment(text: string): string {
  const lines = withoutMarkers(text)
    .split('\n')
    .map((line) => (line.startsWith(' ') ? line.slice(1) : line).trimEnd());
  const isText = (line: string): boolean => line !== '';
  const first = lines.findIndex(isText);
  return first < 0 ? '' : lines.slice(first, lines.findLastIndex(isText) + 1).join('\n');
}

/**
 * `/** … *\/`, `/*! … *\/`, `/// …`, `//! …`, `///< …` are documentation comments of other languages. For protoc, the second
 * marker is part of the text.
 */
function withoutMarkers(text: string): string {
  if (text.startsWith('*')) return withoutStars(text);
  const marker = /^[/!]+<?(?=\s|$)/;
  if (!marker.test(text)) return text;
  const lines = text.split('\n');
  const isMarked = lines.every((line) => line.trim() === '' || marker.test(line));
  return isMarked ? lines.map((line) => line.replace(marker, '')).join('\n') : text.replace(marker, '');
}

/** Removes stars after the opening one, and those before the closing one if they stand alone. */
function withoutStars(text: string): string {
  const bare = text.replace(/^\*+/, '').trimEnd();
  let end = bare.length;
  while (bare[end - 1] === '*') end--;
  return end === 0 || /\s/.test(bare[end - 1]!) ? bare.slice(0, end) : bare;
}
