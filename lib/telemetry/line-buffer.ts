/** Lines of one turn of the event loop as one write: a system call for each request would cost more than the line. */
import type { LineSink } from './log.js';

export class LineBuffer {
  private lines = '';

  /** @param sink must not throw */
  constructor(private readonly sink: LineSink) {}

  write(line: string): void {
    if (this.lines === '') setImmediate(() => this.flush());
    this.lines += line;
  }

  /** Writes what waits; at the end of the process nobody else does. */
  flush(): void {
    if (this.lines === '') return;
    const lines = this.lines;
    this.lines = '';
    this.sink(lines);
  }
}
