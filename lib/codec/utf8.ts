/** UTF-8, sequence by sequence. */

/** The length of the sequence at `pos`; 0 if it is not valid (https://www.unicode.org/versions/Unicode15.0.0/ch03.pdf, table 3-7). */
export function sequenceLength(buf: Buffer, pos: number, end: number): number {
  const lead = buf[pos]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead < 0xc2 || lead > 0xf4 || pos + length > end) return 0;
  const second = buf[pos + 1]!;
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let index = pos + 2; index < pos + length; index++) if ((buf[index]! & 0xc0) !== 0x80) return 0;
  return length;
}

/** Offset of the first byte in `[start, end)` that is not valid; `end` if all are. */
export function utf8End(buf: Buffer, start: number, end: number): number {
  let pos = start;
  while (pos < end) {
    const length = sequenceLength(buf, pos, end);
    if (length === 0) return pos;
    pos += length;
  }
  return pos;
}
