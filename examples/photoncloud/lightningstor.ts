/**
 * LightningSTOR, PhotonCloud's object storage: the RPCs of `protos/lightningstor/v1/lightningstor.proto`. This file checks
 * requests, and joins what is on the disk (`lightningstor/files.ts`) with what the database knows of it
 * (`lightningstor/catalog.ts`). Nothing is acknowledged before both are synced.
 */
import { join } from 'node:path';
import { status as Status } from '@grpc/grpc-js';
import { systemClock, timestampOf } from './lib/clock.js';
import { badRequest, requireFields, ServiceError } from './lib/errors.js';
import { idRule } from './lib/rules.js';
import { logToStderr, serve } from './lib/grpc.js';
import { keyRules, prefixRule } from './lib/keys.js';
import { readPage } from './lib/paging.js';
import { Schema } from './lib/schema.js';
import type { Call, ReplyStream, RunningService, ServiceImplementation, StartOptions } from './lib/service.js';
import { Catalog, type StoredBucket, type StoredObject } from './lightningstor/catalog.js';
import { type FileReader, ObjectFiles } from './lightningstor/files.js';
import type * as message from './lightningstor/messages.js';
import { readRange } from './lightningstor/range.js';

/** How LightningSTOR is started. */
export interface LightningStorOptions extends StartOptions {
  /** The largest object taken. Default: 1 TiB. */
  readonly maxObjectBytes?: number;
}

const serviceName = 'lightningstor.v1.LightningStorService';
const defaultMaxObjectBytes = 2 ** 40;
const defaultContentType = 'application/octet-stream';
/** So many files that nobody needs are removed in one go. */
const sweepFiles = 1000;

/** Starts LightningSTOR; resolves when it listens. */
export async function startLightningStor(options: LightningStorOptions): Promise<RunningService> {
  const { database, dataDir, clock = systemClock, log = logToStderr } = options;
  if (dataDir === undefined) throw new Error('LightningSTOR needs a folder for its objects: dataDir');
  const catalog = new Catalog(database, clock);
  const files = await ObjectFiles.open(join(dataDir, 'lightningstor'));
  const store = new ObjectStore(catalog, files, options.maxObjectBytes ?? defaultMaxObjectBytes, (error) =>
    log('a file that no object needs could not be removed; it is tried again at the next start', error),
  );
  await store.sweep();
  const handlers = { ...bucketHandlers(catalog), ...objectHandlers(catalog, store) };
  const schema = Schema.load(['lightningstor/v1/lightningstor.proto']);
  return serve({ ...options, services: [{ schema, name: serviceName, handlers }] });
}

function bucketHandlers(catalog: Catalog): ServiceImplementation['handlers'] {
  return {
    ListBuckets(request: message.PageRequest): object {
      const query = [serviceName, 'ListBuckets'];
      const page = readPage(
        query,
        request,
        (after, count) => catalog.buckets(after, count),
        ({ name }) => name,
      );
      return { buckets: page.entries.map(bucketMessage), next_page_token: page.next_page_token };
    },

    CreateBucket({ bucket }: message.BucketRequest): message.Bucket {
      requireFields(idRule('bucket', bucket, 63));
      return bucketMessage(catalog.createBucket(bucket));
    },

    GetBucket: ({ bucket }: message.BucketRequest): message.Bucket => bucketMessage(catalog.bucket(bucket)),

    DeleteBucket({ bucket }: message.BucketRequest): message.Deleted {
      catalog.deleteBucket(bucket);
      return { deleted: true };
    },
  };
}

function objectHandlers(catalog: Catalog, store: ObjectStore): ServiceImplementation['handlers'] {
  return {
    async PutObject(requests: AsyncIterable<message.PutObjectRequest>, call: Call): Promise<message.StorageObject> {
      return objectMessage(await store.put(requests, call.signal));
    },

    async GetObject({ bucket, key }: message.ObjectRequest, replies: ReplyStream<message.HttpBody>): Promise<void> {
      requireFields(...keyRules(key));
      await store.get(bucket, key, replies);
    },

    async DeleteObject({ bucket, key }: message.ObjectRequest): Promise<message.Deleted> {
      requireFields(...keyRules(key));
      const deleted = catalog.deleteObject(bucket, key);
      if (deleted) await store.sweep();
      return { deleted };
    },

    ListObjects(request: message.ListObjectsRequest): object {
      const { bucket, prefix } = request;
      requireFields(prefixRule(prefix));
      const query = [serviceName, 'ListObjects', bucket, prefix];
      const read = (after: string | undefined, count: number): StoredObject[] =>
        catalog.objects(bucket, prefix, after, count);
      const page = readPage(query, request, read, ({ key }) => key.toString());
      return { objects: page.entries.map(objectMessage), next_page_token: page.next_page_token };
    },
  };
}

/** Objects as a whole: the catalogue and the files, kept in step. */
class ObjectStore {
  /** Files that are being written, and so are no garbage yet though the catalogue lists them. */
  readonly #writing = new Set<string>();

  constructor(
    readonly catalog: Catalog,
    readonly files: ObjectFiles,
    readonly maxObjectBytes: number,
    readonly onFault: (error: unknown) => void,
  ) {}

  async put(requests: AsyncIterable<message.PutObjectRequest>, signal: AbortSignal): Promise<StoredObject> {
    const iterator = requests[Symbol.asyncIterator]();
    const { value: first } = (await iterator.next()) as IteratorResult<message.PutObjectRequest, undefined>;
    if (first === undefined) throw new ServiceError(Status.INVALID_ARGUMENT, 'the stream has no message');
    const { bucket, key } = first;
    const contentType = first.data?.content_type ?? '';
    requireFields(...keyRules(key), [
      'data.content_type',
      /^[!-~]?[ -~]{0,255}$/.test(contentType),
      'expected at most 256 characters, all of them visible ASCII or spaces',
    ]);
    this.catalog.bucket(bucket);
    const file = this.catalog.newFile();
    this.#writing.add(file);
    try {
      const written = await this.#write(file, first, iterator, signal);
      return this.catalog.put({
        ...{ bucket, key: Buffer.from(key), file },
        ...{ size: BigInt(written.size), etag: written.etag, content_type: contentType || defaultContentType },
      });
    } finally {
      this.#writing.delete(file);
      await iterator.return?.();
      await this.sweep();
    }
  }

  async #write(
    file: string,
    first: message.PutObjectRequest,
    rest: AsyncIterator<message.PutObjectRequest>,
    signal: AbortSignal,
  ): Promise<{ size: number; etag: string }> {
    const writer = await this.files.write(file, this.maxObjectBytes);
    try {
      for (let next: message.PutObjectRequest | undefined = first; next !== undefined;) {
        requireSame(first, next);
        if (next.data !== null) await writer.append(next.data.data);
        next = ((await rest.next()) as IteratorResult<message.PutObjectRequest, undefined>).value;
      }
      await writer.sync();
      // An upload that was given up may look as if it had ended; by now it is known.
      if (signal.aborted) throw new ServiceError(Status.CANCELLED, 'the upload broke off');
      return await writer.finish();
    } catch (error) {
      await writer.giveUp();
      throw error;
    }
  }

  async get(bucket: string, key: string, replies: ReplyStream<message.HttpBody>): Promise<void> {
    const { object, file } = await this.#open(bucket, key);
    try {
      await send(object, file, replies);
    } finally {
      await file.close();
    }
  }

  /** The object that is there now, its file open: from then on nobody can take it away from the reader. */
  async #open(bucket: string, key: string): Promise<{ object: StoredObject; file: FileReader }> {
    for (;;) {
      const object = this.catalog.object(bucket, key);
      const file = await this.files.read(object.file);
      if (file !== undefined) return { object, file };
      // Between the two it may have been replaced or deleted; if not, its file is lost.
      if (this.catalog.object(bucket, key).file === object.file) throw new Error(`the file ${object.file} is missing`);
    }
  }

  /** Removes files that no object needs. What fails is left for the next time. */
  async sweep(): Promise<void> {
    for (const file of this.catalog.garbage(sweepFiles)) {
      // While this waited for others, a writer may have finished: what the list said is old by then.
      if (this.#writing.has(file) || !this.catalog.isGarbage(file)) continue;
      try {
        await this.files.remove(file);
        this.catalog.forget(file);
      } catch (error) {
        this.onFault(error);
      }
    }
  }
}

/** Sends an object, or the part of it that the caller asks for. */
async function send(object: StoredObject, file: FileReader, replies: ReplyStream<message.HttpBody>): Promise<void> {
  const size = Number(object.size);
  const etag = `"${object.etag}"`;
  const ifRange = replies.header('if-range');
  const wanted = ifRange === undefined || ifRange === etag ? replies.header('range') : undefined;
  const range = readRange(wanted, size);
  if (range === 'none') {
    throw new ServiceError(Status.OUT_OF_RANGE, `the object has ${size} bytes, and none of them in ${wanted}`, [], {
      'content-range': `bytes */${size}`,
    });
  }
  const { start, end } = range ?? { start: 0, end: size };
  replies.sendHeaders({
    etag,
    'accept-ranges': 'bytes',
    'last-modified': new Date(Number(object.updated_ms)).toUTCString(),
    'x-content-length': String(end - start),
    ...(range !== undefined && { 'x-http-code': '206', 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  });
  // An empty object is one message, too: it tells the content type.
  let at = start;
  do {
    const data = await file.piece(at, end);
    await replies.write({ content_type: at === start ? object.content_type : '', data });
    at += data.length;
  } while (at < end && !replies.signal.aborted);
}

function requireSame(first: message.PutObjectRequest, next: message.PutObjectRequest): void {
  for (const field of ['bucket', 'key'] as const) {
    if (next[field] === '' || next[field] === first[field]) continue;
    throw badRequest([{ field, description: 'is another than in the first message; leave it out or repeat it' }]);
  }
}

function bucketMessage({ name, created_ms }: StoredBucket): message.Bucket {
  const created = timestampOf(Number(created_ms));
  return { name, created_at: created, updated_at: created };
}

function objectMessage(object: StoredObject): message.StorageObject {
  const { bucket, key, size, etag, content_type } = object;
  return {
    ...{ bucket, key: key.toString(), size, etag, content_type },
    created_at: timestampOf(Number(object.created_ms)),
    updated_at: timestampOf(Number(object.updated_ms)),
  };
}
