import { gzipSync } from 'node:zlib';
import type { EventLog, Projects } from '@playhead/ports';
import type { Topic, TopicRecords, Upload } from '@playhead/schemas';
import { encodeFrames, partitionOf, toOffset, uuidv7 } from '@playhead/schemas';
import type { ManualClock } from '@playhead/testkit';
import { aDomKeyframe, EXAMPLE_START_MS, keepingLogger, manualClock, memoryLog } from '@playhead/testkit';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import Fastify from 'fastify';
import type { IngestConfig } from '../src/index.ts';
import { registerIngest } from '../src/index.ts';

/** An ingest on a log in memory whose appends can be held or made to fail. */

export const KEY = 'write-key-of-the-shop';
export const NOW_MS = EXAMPLE_START_MS;
export const SESSION = uuidv7(NOW_MS, new Uint8Array(10).fill(7));
export const PARTITIONS = 4;

const projects: Projects = {
  projectOfWriteKey: (key) => ({ [KEY]: 'shop', 'key-of-the-bank': 'bank' })[key],
  viewerOfToken: () => undefined,
};

/** A log in front of another, for what a test wants to happen to appends. */
export class FaultyLog {
  readonly inner = memoryLog({ partitions: PARTITIONS });
  /** Called before every append; what it throws or rejects with, the append does. */
  beforeAppend: (topic: Topic) => Promise<void> | void = () => {};
  /** Called before every read. */
  beforeRead: () => void = () => {};
  appends = 0;

  readonly log: EventLog = {
    ...this.inner,
    append: async (topic, partition, key, record) => {
      this.appends += 1;
      await this.beforeAppend(topic);
      return this.inner.append(topic, partition, key, record);
    },
    read: (topic, partition, from, options) => {
      this.beforeRead();
      return this.inner.read(topic, partition, from, options);
    },
  };

  /** Everything in a topic, over all partitions. */
  async records<T extends Topic>(topic: T): Promise<TopicRecords[T][]> {
    const found: TopicRecords[T][] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const { first, next } = await this.inner.bounds(topic, partition);
      if (first === next) continue;
      const ends = new AbortController();
      for await (const batch of this.inner.read(topic, partition, toOffset(0), { signal: ends.signal })) {
        for (const entry of batch.records) if (entry.record) found.push(entry.record);
        if (batch.next >= next) ends.abort();
      }
    }
    return found;
  }

  async put<T extends Topic>(topic: T, record: TopicRecords[T] & { readonly sessionId: string }): Promise<void> {
    await this.inner.append(topic, partitionOf(record.sessionId, PARTITIONS), record.sessionId, record);
  }
}

export interface Door {
  readonly app: FastifyInstance;
  readonly log: FaultyLog;
  readonly clock: ManualClock;
  readonly logger: ReturnType<typeof keepingLogger>;
  readonly answers: { readonly method: 'get' | 'post'; readonly path: string; readonly answer: LightMyRequestResponse }[];
  post(path: string, body?: Uint8Array | string | object, options?: InjectOptions): Promise<LightMyRequestResponse>;
  upload(body: Uint8Array, query?: Readonly<Record<string, string | number>>, sessionId?: string): Promise<LightMyRequestResponse>;
  /** Holds a watch request; `query` as in the URL. */
  watch(sessionId?: string, query?: string): Promise<LightMyRequestResponse>;
  uploads(): Promise<Upload[]>;
}

export async function openDoor(
  config: IngestConfig = {},
  prepare: (app: FastifyInstance) => void = () => {},
  log = new FaultyLog(),
): Promise<Door> {
  const clock = manualClock(NOW_MS);
  const logger = keepingLogger();
  const app = Fastify();
  prepare(app);
  let random = 0;
  await registerIngest(app, {
    log: log.log,
    projects,
    clock,
    randomBytes: (count) => new Uint8Array(count).fill(++random),
    logger,
    config,
  });
  await app.ready();
  const answers: { method: 'get' | 'post'; path: string; answer: LightMyRequestResponse }[] = [];

  async function post(path: string, body?: Uint8Array | string | object, options: InjectOptions = {}): Promise<LightMyRequestResponse> {
    const payload = body instanceof Uint8Array ? Buffer.from(body) : body;
    const answer = await app.inject({ method: 'POST', url: path, ...(payload === undefined ? {} : { payload }), ...options });
    answers.push({ method: 'post', path: path.split('?')[0] ?? '', answer });
    return answer;
  }

  return {
    app,
    log,
    clock,
    logger,
    answers,
    post,
    upload: (body, query = {}, sessionId = SESSION) =>
      post(`/v1/sessions/${sessionId}/uploads?${queryOf(query)}`, body, { headers: { 'content-type': 'application/octet-stream' } }),
    async watch(sessionId = SESSION, query = `key=${KEY}`) {
      const path = `/v1/sessions/${sessionId}/watch`;
      const answer = await app.inject({ method: 'GET', url: `${path}?${query}` });
      answers.push({ method: 'get', path, answer });
      return answer;
    },
    uploads: () => log.records('playhead.uploads'),
  };
}

/** The query of a good upload with some parameters replaced; '' leaves one out. */
export function queryOf(overrides: Readonly<Record<string, string | number>> = {}): string {
  const query: Record<string, string | number> = { key: KEY, window: 'window-1', upload: 'upload-1', ...overrides };
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== '') parameters.set(name, String(value));
  return parameters.toString();
}

/** A gzipped native body with one whole frame. */
export function aBody(text = 'Welcome'): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(gzipSync(encodeFrames([aDomKeyframe(NOW_MS, text)])));
}

/** A promise that is settled from outside. */
export function held(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
