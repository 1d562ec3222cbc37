/**
 * The bytes of objects, one file for each, named by an id that is never used again. A file is written under another
 * name, synced, and renamed when it is whole; it is never changed after that. Who needs which file stands in the
 * database (`catalog.ts`).
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { status as Status } from '@grpc/grpc-js';
import { ServiceError } from '../lib/errors.js';

/** How large a piece is read and sent. */
const pieceBytes = 64 * 1024;

/** A folder of files. */
export class ObjectFiles {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<ObjectFiles> {
    await mkdir(folder, { recursive: true });
    return new ObjectFiles(folder);
  }

  /** Begins a file, to be finished or given up. RESOURCE_EXHAUSTED where it would grow over `maxBytes`. */
  async write(id: string, maxBytes: number): Promise<FileWriter> {
    await mkdir(this.#folderOf(id), { recursive: true });
    return new FileWriter(await open(this.#part(id), 'wx'), maxBytes, async () => {
      await rename(this.#part(id), this.#path(id));
      await syncFolder(this.#folderOf(id));
      await syncFolder(this.#folder);
    });
  }

  /** Opens a file to read it; undefined where it is not there (any more). Once open, it can be read to the end. */
  async read(id: string): Promise<FileReader | undefined> {
    try {
      return new FileReader(await open(this.#path(id), 'r'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Removes a file, whole or not, if it is there. */
  async remove(id: string): Promise<void> {
    await rm(this.#part(id), { force: true });
    await rm(this.#path(id), { force: true });
  }

  /** Ids begin with the time, so their last characters spread best. */
  #folderOf(id: string): string {
    return join(this.#folder, id.slice(-2));
  }

  #path(id: string): string {
    return join(this.#folderOf(id), id);
  }

  #part(id: string): string {
    return `${this.#path(id)}.part`;
  }
}

/** A file that is being read. */
export class FileReader {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** At most 64 KiB from `at` on, not reaching beyond `end`. Throws if the file is shorter. */
  async piece(at: number, end: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, end - at));
    const { bytesRead } = await this.#file.read({ buffer, position: at });
    if (bytesRead === 0 && buffer.length > 0) throw new Error(`a file of an object ends at ${at}, before ${end}`);
    return buffer.subarray(0, bytesRead);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** A file that is being written. */
export class FileWriter {
  readonly #file: FileHandle;
  readonly #maxBytes: number;
  readonly #publish: () => Promise<void>;
  readonly #hash = createHash('sha256');
  #size = 0;

  constructor(file: FileHandle, maxBytes: number, publish: () => Promise<void>) {
    this.#file = file;
    this.#maxBytes = maxBytes;
    this.#publish = publish;
  }

  async append(bytes: Buffer): Promise<void> {
    this.#size += bytes.length;
    if (this.#size > this.#maxBytes) {
      throw new ServiceError(Status.RESOURCE_EXHAUSTED, `an object has at most ${this.#maxBytes} bytes`);
    }
    this.#hash.update(bytes);
    try {
      for (let at = 0; at < bytes.length;) at += (await this.#file.write(bytes, at)).bytesWritten;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      throw new ServiceError(Status.RESOURCE_EXHAUSTED, 'the disk is full');
    }
  }

  /** Brings what was written to the disk. */
  async sync(): Promise<void> {
    await this.#file.sync();
  }

  /** Gives the file its name; then it is whole, and on the disk. */
  async finish(): Promise<{ size: number; etag: string }> {
    await this.#file.close();
    await this.#publish();
    return { size: this.#size, etag: this.#hash.digest('hex') };
  }

  /** Closes a file that was not finished. */
  async giveUp(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }
}

/** A new name in a folder is on the disk only when the folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
