/**
 * Which comment belongs to which declaration, as protoc defines it (`SourceCodeInfo.Location` in descriptor.proto).
 * What stands between the end of one declaration (`;`, `{` or `}`) and the next token is a gap. The comments of a gap
 * fall into those trailing the declaration before it, those leading the one after it, and detached ones.
 */

export interface GapComments {
  /** Belongs to the declaration that ended before the gap. */
  readonly trailing: string;
  /** Belongs to the declaration that starts after the gap. */
  readonly leading: string;
}

interface Block {
  readonly text: string;
  /** A `/* *\/` comment; it is never joined with a neighbour. */
  readonly block: boolean;
  /** Line breaks between what precedes it (token or comment) and its start. */
  readonly breaksBefore: number;
}

/**
 * Splits the comments of `text[from, to)`.
 * @param afterToken false at the start of a file, where nothing can be trailed.
 */
export function gapComments(text: string, from: number, to: number, afterToken: boolean): GapComments {
  const { blocks, breaksAfter } = readBlocks(text, from, to);
  if (blocks.length === 0) return { trailing: '', leading: '' };
  const first = blocks[0]!;
  const last = blocks[blocks.length - 1]!;
  const closes = to >= text.length || '})]'.includes(text[to]!);
  let trailing = afterToken && trailsToken(blocks, breaksAfter, closes) ? first : undefined;
  const leads = !closes && breaksAfter <= 1 && last !== trailing && !(afterToken && onOneLine(blocks, breaksAfter));
  // A lone comment that touches both neighbours' lines could be either's: it is nobody's.
  if (trailing !== undefined && blocks.length === 1 && breaksAfter === 0) trailing = undefined;
  return {
    trailing: trailing === undefined ? '' : trimComment(trailing.text),
    leading: leads ? trimComment(last.text) : '',
  };
}

/** `;  /* comment *\/  next`: no line break at all. */
function onOneLine(blocks: readonly Block[], breaksAfter: number): boolean {
  return breaksAfter === 0 && blocks.length === 1 && blocks[0]!.breaksBefore === 0;
}

/** On the declaration's own line, or on the next one with a blank line, another comment or a scope's end after it. */
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
    // Line comments on consecutive lines are one; the first of a declaration's own line stands alone.
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

/** Drops the leading white space and `*` that continuation lines of a block comment carry. */
function blockText(content: string): string {
  return content.replace(/\n[ \t\r\f\v]*\*?/g, '\n');
}

/** A comment's text: one leading space of each line removed, trailing space and outer blank lines too. */
export function trimComment(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^ /, '').replace(/\s+$/, ''));
  while (lines.length > 0 && lines[0] === '') lines.shift();
  while (lines.length > 0 && lines[lines.length - 1] === '') lines.pop();
  return lines.join('\n');
}
