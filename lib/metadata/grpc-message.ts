/** The text of a status as HTTP carries it. */

/** A `grpc-message`: percent-encoded if it is not printable ASCII. */
export function encodeGrpcMessage(message: string): string {
  const bytes = Buffer.from(message.toWellFormed(), 'utf8');
  let text = '';
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
