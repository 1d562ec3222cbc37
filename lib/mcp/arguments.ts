/** The arguments of a tool → request messages, and response messages → JSON. All that is wrong is told at once. */
import { invalidArgument } from '../codec/index.js';
import { StatusError } from '../status.js';
import { quote } from '../uri.js';
import { Writer } from '../wire/index.js';
import { type Members, readElements, readObject } from './json-rpc.js';
import type { Tool } from './tool.js';

/** Reads and writes the messages of one tool. */
export class ToolMessages {
  private readonly out = new Writer();

  constructor(private readonly tool: Tool) {}

  /** The only message of a call. @throws StatusError with all violations */
  readOne(json: Buffer): Buffer {
    if (this.tool.input === 'object') return this.read(json);
    const value = this.only(json, 'value');
    if (value === undefined) throw missing('value', 'the message');
    return this.read(value, 'value');
  }

  /** The messages of a client stream. @throws StatusError with all violations of the first that is wrong */
  readMany(json: Buffer): Buffer[] {
    const { mcpMaxMessages } = this.tool.source.options;
    const list = this.only(json, 'messages');
    const items = list && readElements(list, this.maxDepth);
    if (items === undefined) throw missing('messages', 'a list of messages');
    if (items.length > mcpMaxMessages) {
      throw StatusError.badField(
        'messages',
        `found ${items.length} messages, expected at most ${mcpMaxMessages} (mcp_max_messages)`,
      );
    }
    return items.map((item, index) => this.read(item, `messages[${index}]`));
  }

  /** A response message as JSON. */
  write(message: Buffer): Buffer {
    const { out, tool } = this;
    out.reset();
    tool.source.codec.writer(tool.method.output)(message, out);
    return out.take();
  }

  private get maxDepth(): number {
    return this.tool.source.codec.options.maxJsonDepth + 2;
  }

  /** The member of an object that has no others. */
  private only(json: Buffer, name: string): Buffer | undefined {
    const members: Members = readObject(json, this.maxDepth);
    const [other] = [...members.keys()].filter((key) => key !== name);
    if (other === undefined) return members.get(name);
    throw StatusError.badField(other, `there is no such argument; expected ${quote(name)} alone`);
  }

  /** @param place of the message among the arguments; default: it is the arguments */
  private read(json: Buffer, place?: string): Buffer {
    const { out, tool } = this;
    const { codec } = tool.source;
    const { input } = tool.method;
    try {
      out.reset();
      codec.reader(input)(json, out);
      const wire = out.take();
      const lacking = codec.missing(input, wire);
      if (lacking.length > 0) throw invalidArgument(lacking);
      return wire;
    } catch (error) {
      if (place === undefined || !(error instanceof StatusError) || error.violations.length === 0) throw error;
      const at = (field: string): string =>
        field === '' || field.startsWith('[') ? place + field : `${place}.${field}`;
      throw invalidArgument(error.violations.map(({ field, description }) => ({ field: at(field), description })));
    }
  }
}

function missing(name: string, what: string): StatusError {
  return StatusError.badField(name, `is missing, expected ${what}`);
}
