import { randomBytes } from 'node:crypto';
import type { BlockStore, Catalog, Clock, EventLog, Logger, Projects } from '@playhead/ports';
import { systemClock } from '@playhead/ports';
import type { Flush, FlushBlock, Offset, PositionedFrame, SessionFact, Upload } from '@playhead/schemas';
import {
  crc32,
  cutMergedBlock,
  decodeBlock,
  encodeBlock,
  encodeFrameBundle,
  formatPosition,
  layOutBlock,
  Marks,
  NO_OFFSET,
  partitionOf,
  rawBytesOf,
  toOffset,
} from '@playhead/schemas';
import {
  aFlush,
  aFlushBlock,
  aMerge,
  aMergedBlock,
  anUpload,
  aSessionEnded,
  aSessionStarted,
  jpegOf,
  memoryBlocks,
  memoryCatalog,
  memoryLog,
  silentLogger,
} from '@playhead/testkit';
import { compressPiece, decompressPiece, positionFrames, readUploadAsync } from '@playhead/uploads';
import type { FastifyInstance } from 'fastify';
import fastify from 'fastify';
import type { LiveGatewayDeps, LiveGatewaySettings } from '../src/index.ts';
import { registerLiveGateway } from '../src/index.ts';
import { WsClient } from './ws-client.ts';

export const SESSION = 'session-0001';
export const EPOCH_MS = 1_750_000_000_000;

const VIEWERS = new Map([
  ['ada', { projectId: 'shop', viewer: 'Ada' }],
  ['bob', { projectId: 'shop', viewer: 'Bob' }],
  ['eve', { projectId: 'other', viewer: 'Eve' }],
]);
const projects: Projects = { projectOfWriteKey: () => undefined, viewerOfToken: (token) => VIEWERS.get(token) };

interface WorldOptions {
  readonly partitions?: number;
  readonly settings?: Partial<LiveGatewaySettings>;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly readUpload?: LiveGatewayDeps['readUpload'];
  readonly holeEvery?: number;
  /** Stand in front of the fakes, to slow them down or to break them. */
  readonly wrapLog?: (log: EventLog) => EventLog;
  readonly wrapCatalog?: (catalog: Catalog) => Catalog;
  readonly wrapBlocks?: (blocks: BlockStore) => BlockStore;
}

/** The real gateway on fakes, listening; a writer; a compactor and a catalog projection that move when they are told. */
export class GatewayWorld {
  readonly log: EventLog;
  readonly catalog: Catalog = memoryCatalog();
  readonly blocks: BlockStore = memoryBlocks();
  readonly app: FastifyInstance = fastify();
  readonly #chainEnds = new Map<number, Offset>();
  readonly #marks = new Map<string, Marks>();
  readonly #unapplied: { readonly flush: Flush; readonly next: Offset }[] = [];
  readonly #clients: WsClient[] = [];
  #nowMs = EPOCH_MS;
  port = 0;

  private constructor(options: WorldOptions) {
    this.log = memoryLog({ partitions: options.partitions ?? 2, now: () => this.#nowMs, holeEvery: options.holeEvery ?? 0 });
  }

  static async open(options: WorldOptions = {}): Promise<GatewayWorld> {
    const world = new GatewayWorld(options);
    await registerLiveGateway(world.app, {
      log: options.wrapLog?.(world.log) ?? world.log,
      blocks: options.wrapBlocks?.(world.blocks) ?? world.blocks,
      catalog: options.wrapCatalog?.(world.catalog) ?? world.catalog,
      projects,
      clock: options.clock ?? systemClock,
      randomBytes: (count) => randomBytes(count),
      logger: options.logger ?? silentLogger,
      readUpload: options.readUpload,
      settings: { retryMs: 5, ...options.settings },
    });
    await world.app.listen({ port: 0, host: '127.0.0.1' });
    const address = world.app.server.address();
    world.port = typeof address === 'object' && address !== null ? address.port : 0;
    return world;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.drop();
    await this.app.close();
    await this.log.close();
  }

  /** A viewer of the session, as Ada unless the path has a token. */
  join(
    from = 'start',
    { session = SESSION, token = 'ada', headers = {} }: { session?: string; token?: string; headers?: Record<string, string> } = {},
  ): WsClient {
    const client = new WsClient(this.port, `/v1/sessions/${session}/live?from=${from}${token === '' ? '' : `&token=${token}`}`, headers);
    this.#clients.push(client);
    return client;
  }

  async fact(fact: SessionFact): Promise<void> {
    await this.log.append('playhead.sessions', partitionOf(fact.sessionId, this.log.partitions), fact.sessionId, fact);
  }

  async start(session = SESSION, projectId = 'shop'): Promise<void> {
    await this.fact(aSessionStarted({ projectId, sessionId: session, startedAtMs: EPOCH_MS }));
    await this.known(session, projectId);
  }

  /** Until the read API has the session. */
  async known(session: string, projectId = 'shop'): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.url}/v1/sessions/${session}?token=${projectId === 'shop' ? 'ada' : 'eve'}`);
      await answer.arrayBuffer();
      if (answer.ok) return;
    }
  }

  async end(session = SESSION): Promise<void> {
    await this.fact(aSessionEnded({ projectId: 'shop', sessionId: session, endedAtMs: EPOCH_MS + 5000, reason: 'told' }));
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
    return fetch(this.url + path, { method, headers: { authorization: 'Bearer ada', ...headers } });
  }

  /** Appends a bundle of pictures. The same counter again is a duplicate. */
  pictures(counter: number, count = 2, overrides: Partial<Upload> & { bytesMin?: number } = {}): Promise<Offset> {
    const { bytesMin = 0, ...rest } = overrides;
    const frames = Array.from({ length: count }, (_, i) => ({
      offsetMs: counter * 1000 + i,
      jpeg: jpegOf({ shade: (counter * 7 + i) % 256, comment: `${counter}.${i}`, bytesMin }),
    }));
    return this.append({ counter, track: 'image', format: 'frame-bundle', epochMs: EPOCH_MS, body: encodeFrameBundle(frames), ...rest });
  }

  append(overrides: Partial<Upload>): Promise<Offset> {
    const upload = anUpload({ projectId: 'shop', sessionId: SESSION, windowId: 'w1', receivedAtMs: EPOCH_MS + 60_000, ...overrides });
    return this.log.append('playhead.uploads', partitionOf(upload.sessionId, this.log.partitions), upload.sessionId, upload);
  }

  /** One compaction step of the session's partition; the catalog hears of it with `apply`. */
  async flush(session = SESSION): Promise<void> {
    const partition = partitionOf(session, this.log.partitions);
    const prevLastOffset = this.#chainEnds.get(partition) ?? NO_OFFSET;
    const records = await this.#records(partition, toOffset(prevLastOffset + 1));
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined) return;
    const byOwner = Map.groupBy(records, ({ upload }) => `${upload.projectId} ${upload.sessionId}`);
    const blocks: FlushBlock[] = [];
    const parts: Uint8Array[] = [];
    let size = 0;
    for (const [owner, own] of byOwner) {
      const known = this.#marks.get(owner) ?? new Marks();
      this.#marks.set(owner, known);
      const added = new Marks();
      const frames: PositionedFrame[] = [];
      for (const { offset, upload } of own) {
        if (!known.accept(upload)) continue;
        added.accept(upload);
        frames.push(...positionFrames(upload, offset, (await readUploadAsync(upload)).frames));
      }
      const encoded = frames.length === 0 ? null : encodeBlock(frames, compressPiece);
      const upload = own[0]?.upload ?? first.upload;
      blocks.push(
        aFlushBlock({
          projectId: upload.projectId,
          sessionId: upload.sessionId,
          blockOffset: size,
          blockLength: encoded?.bytes.length ?? 0,
          firstOffset: own[0]?.offset ?? first.offset,
          lastOffset: own.at(-1)?.offset ?? last.offset,
          marks: added.encode(),
          frameIndex: encoded?.frameIndex ?? new Uint8Array(),
        }),
      );
      if (encoded !== null) parts.push(encoded.bytes);
      size += encoded?.bytes.length ?? 0;
    }
    const objectKey = size === 0 ? '' : `uploads/${partition}/${first.offset}-${last.offset}`;
    if (size > 0) await this.blocks.put(objectKey, parts);
    const range = { prevLastOffset, firstOffset: first.offset, lastOffset: last.offset };
    const flush = aFlush({ partition, ...range, objectKey, objectBytes: size, blocks });
    const at = await this.log.append('playhead.flushes', partition, '', flush);
    this.#chainEnds.set(partition, last.offset);
    this.#unapplied.push({ flush, next: toOffset(at + 1) });
  }

  /** The catalog takes over what it has not. */
  async apply(count = Number.POSITIVE_INFINITY): Promise<void> {
    for (const { flush, next } of this.#unapplied.splice(0, count)) await this.catalog.applyFlush(flush, next, []);
  }

  /** Lays the blocks of the session that no merge replaces out anew as one; the catalog hears of it. */
  async merge(session = SESSION): Promise<void> {
    const partition = partitionOf(session, this.log.partitions);
    const { mergeNumber } = await this.catalog.progress(partition);
    const { blocks } = await this.catalog.blocks('shop', session, partition);
    const own = blocks.filter(({ merged }) => !merged);
    const [first, last] = [own[0], own.at(-1)];
    if (first === undefined || last === undefined) return;
    const frames: PositionedFrame[] = [];
    const marks = new Marks();
    for (const block of own) {
      marks.merge(Marks.decode(block.marks));
      if (block.blockLength === 0) continue;
      const range = { offset: block.blockOffset, length: block.blockLength };
      frames.push(...decodeBlock(await this.blocks.get(block.objectKey, range), decompressPiece));
    }
    const cut = cutMergedBlock(frames);
    const pieces = cut.pieces.map((piece) => compressPiece(rawBytesOf(piece)));
    const { parts, length: blockLength, frameIndex } = layOutBlock(cut, pieces, crc32);
    const number = mergeNumber + 1;
    const objectKey = `merged/${partition}/${number}`;
    await this.blocks.put(objectKey, parts);
    const block = aMergedBlock({
      sessionId: session,
      firstFlush: first.flushLastOffset,
      lastFlush: last.flushLastOffset,
      blockLength,
      firstOffset: first.firstOffset,
      lastOffset: last.lastOffset,
      marks: marks.encode(),
      frameIndex,
    });
    const merge = aMerge({ partition, number, objectKey, objectBytes: blockLength, blocks: [block] });
    await this.catalog.applyMerge(merge, toOffset(number), []);
  }

  /** Removes the objects of flushes that nobody needs any more. */
  async sweep(session = SESSION): Promise<void> {
    const partition = partitionOf(session, this.log.partitions);
    const keys: string[] = [];
    for await (const { key } of this.blocks.list(`uploads/${partition}/`)) keys.push(key);
    const used = await this.catalog.objectsInUse(partition, keys, Number.MAX_SAFE_INTEGER);
    for (const key of keys) if (!used.has(key)) await this.blocks.delete(key);
  }

  /** The log forgets everything, provided that all of it is compacted. */
  async trim(): Promise<void> {
    for (let partition = 0; partition < this.log.partitions; partition++) {
      const { next } = await this.log.bounds('playhead.uploads', partition);
      // An offset without a record behind the chain's end could not be told from a trimmed one.
      if ((this.#chainEnds.get(partition) ?? NO_OFFSET) + 1 < next) return;
    }
    this.#nowMs += 73 * 60 * 60 * 1000;
    await this.log.trim(this.#nowMs);
  }

  /** Forgets everything of the log, compacted or not. */
  async lose(): Promise<void> {
    this.#nowMs += 73 * 60 * 60 * 1000;
    await this.log.trim(this.#nowMs);
  }

  /** Positions of all acknowledged frames of the session in order, once. Only while the log holds everything. */
  async acknowledged(session = SESSION): Promise<string[]> {
    const marks = new Marks();
    const records = await this.#records(partitionOf(session, this.log.partitions), toOffset(0));
    const positions: string[] = [];
    for (const { offset, upload } of records) {
      if (upload.sessionId !== session || upload.projectId !== 'shop' || !marks.accept(upload)) continue;
      const { frames } = await readUploadAsync(upload);
      positions.push(...positionFrames(upload, offset, frames).map((frame) => formatPosition(frame.position)));
    }
    return positions;
  }

  async #records(partition: number, from: Offset): Promise<{ offset: Offset; upload: Upload }[]> {
    const { first } = await this.log.bounds('playhead.uploads', partition);
    const records: { offset: Offset; upload: Upload }[] = [];
    const stop = new AbortController();
    const start = toOffset(Math.max(first, from));
    const reading = (async () => {
      for await (const batch of this.log.read('playhead.uploads', partition, start, { signal: stop.signal })) {
        for (const { offset, record } of batch.records) if (record !== null) records.push({ offset, upload: record });
      }
    })();
    // The log in memory gives everything that it has before it waits: one turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await reading;
    return records;
  }
}
