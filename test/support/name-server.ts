/** A name server on loopback, which knows what a test tells it: addresses of hosts, and SRV records. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Test } from 'tap';

/** An SRV record. */
export interface Srv {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly host: string;
}

const A = 1;
const SRV = 33;

export class NameServer {
  /** IPv4 addresses by host. */
  readonly hosts = new Map<string, readonly string[]>();
  readonly services = new Map<string, readonly Srv[]>();
  /** Questions for addresses of version 4, and for services. */
  asked = 0;
  port = 0;
  private readonly socket: Socket = createSocket('udp4');

  async start(t: Test): Promise<this> {
    this.socket.on('message', (query, peer) => {
      this.socket.send(this.answer(query), peer.port, peer.address);
    });
    this.socket.bind(0, '127.0.0.1');
    await once(this.socket, 'listening');
    t.teardown(() => this.socket.close());
    this.port = this.socket.address().port;
    return this;
  }

  private answer(query: Buffer): Buffer {
    const labels: string[] = [];
    let end = 12;
    for (let length = query[end]!; length !== 0; length = query[end]!) {
      labels.push(query.toString('latin1', end + 1, end + 1 + length));
      end += length + 1;
    }
    const type = query.readUInt16BE(end + 1);
    const data = this.recordsOf(labels.join('.').toLowerCase(), type);
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(data.length, 6);
    head.fill(0, 8);
    const records = data.map((bytes) => {
      // Its name is that of the question, and nothing is to be remembered.
      const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, bytes.length]);
      return Buffer.concat([record, bytes]);
    });
    return Buffer.concat([head, query.subarray(12, end + 5), ...records]);
  }

  private recordsOf(name: string, type: number): Buffer[] {
    if (type === A || type === SRV) this.asked++;
    if (type === A) return (this.hosts.get(name) ?? []).map((address) => Buffer.from(address.split('.').map(Number)));
    if (type !== SRV) return [];
    return (this.services.get(name) ?? []).map(({ priority, weight, port, host }) => {
      const numbers = Buffer.alloc(6);
      [priority, weight, port].forEach((value, index) => numbers.writeUInt16BE(value, 2 * index));
      const labels = host.split('.').filter(Boolean);
      return Buffer.concat([
        numbers,
        ...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
        Buffer.of(0),
      ]);
    });
  }
}
