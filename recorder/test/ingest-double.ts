import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { Frame, Signal, StartRequest } from '@playhead/schemas';
import { decodeBody, LIMITS } from '@playhead/schemas';

export interface SeenUpload {
  readonly sessionId: string;
  readonly windowId: string;
  readonly uploadId: string;
  readonly counter: number;
  readonly goodbye: boolean;
  readonly facts: Record<string, string>;
  readonly frames: readonly Frame[];
  readonly url: string;
  readonly contentType: string;
  readonly bytes: number;
  readonly receivedAtMs: number;
  /** What was answered; 0 when the connection was cut. */
  readonly status: number;
}

export interface Answer {
  /** 0 cuts the connection without an answer. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly delayMs?: number;
  /** Resolves when the answer may be given. */
  readonly until?: Promise<unknown>;
}

/** A request that waits for word of a watch. */
export interface SeenWatch {
  readonly sessionId: string;
  readonly method: string;
  readonly askedAtMs: number;
  /** When it was answered or given up by the page, Unix ms. */
  endedAtMs?: number;
  /** What was answered; undefined while it is held, and when the page gave it up. */
  status?: number;
}

/** A small ingest that speaks the native door, remembers what it saw, and answers as the test wants. */
export class IngestDouble {
  readonly starts: (StartRequest & { readonly receivedAtMs: number })[] = [];
  /** Every upload as it came, also those that were refused or not answered. */
  readonly uploads: SeenUpload[] = [];
  /** Every byte that the page sent: URLs, headers and inflated bodies. */
  text = '';
  preflights = 0;
  config: Record<string, number> = {};
  answerStart: () => Answer = () => ({ status: 201 });
  answer: (upload: Omit<SeenUpload, 'status'>) => Answer = () => ({ status: 204 });
  readonly watches: SeenWatch[] = [];
  /** What a request for word of a watch is answered; undefined: it is held, for `watchHeldMs` at most. */
  answerWatch: (watch: SeenWatch) => Answer | undefined = () => undefined;
  watchHeldMs = 25_000;
  readonly #held = new Set<() => void>();
  #server: Server | null = null;

  async listen(): Promise<string> {
    const server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** What was stored: each identity once, the first that was answered with success. */
  get stored(): SeenUpload[] {
    const seen = new Set<string>();
    return this.uploads.filter((upload) => {
      const identity = `${upload.sessionId} ${upload.uploadId}`;
      if (upload.status < 200 || upload.status > 299 || seen.has(identity)) return false;
      seen.add(identity);
      return true;
    });
  }

  get frames(): Frame[] {
    return this.stored.flatMap((upload) => upload.frames);
  }

  get signals(): Signal[] {
    return signalsOf(this.stored);
  }

  /** Requests for word of a watch that are open now. */
  get held(): SeenWatch[] {
    return this.watches.filter((watch) => watch.endedAtMs === undefined);
  }

  /** What is held is looked at again: answers have changed. */
  wake(): void {
    for (const look of this.#held) look();
  }

  async #watch(sessionId: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const watch: SeenWatch = { sessionId, method: request.method ?? '', askedAtMs: Date.now() };
    this.watches.push(watch);
    const answer = await new Promise<Answer | null>((resolve) => {
      const look = (): void => {
        const found = this.answerWatch(watch);
        if (found) resolve(found);
      };
      this.#held.add(look);
      const timer = setTimeout(() => resolve({ status: 204 }), this.watchHeldMs);
      response.on('close', () => {
        this.#held.delete(look);
        clearTimeout(timer);
        watch.endedAtMs = Date.now();
        resolve(null);
      });
      look();
    });
    if (answer === null) return;
    watch.status = answer.status;
    await this.#reply(response, answer, null);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-expose-headers', 'playhead-flush-ms, playhead-keyframe, playhead-session, retry-after');
    if (request.method === 'OPTIONS') {
      this.preflights++;
      response.setHeader('access-control-allow-headers', 'content-type, authorization');
      response.writeHead(204).end();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '/', 'http://ingest');
    this.text += `${decodeURIComponent(request.url ?? '')}\n${JSON.stringify(request.headers)}\n`;
    if (url.pathname === '/v1/sessions') {
      const start = JSON.parse(body.toString()) as StartRequest;
      this.text += `${body.toString()}\n`;
      this.starts.push({ ...start, receivedAtMs: Date.now() });
      await this.#reply(response, this.answerStart(), { sessionId: start.sessionId, serverTimeMs: Date.now(), config: this.#settings() });
      return;
    }
    const watched = /^\/v1\/sessions\/([^/]+)\/watch$/.exec(url.pathname);
    if (watched) {
      await this.#watch(watched[1] ?? '', request, response);
      return;
    }
    const match = /^\/v1\/sessions\/([^/]+)\/uploads$/.exec(url.pathname);
    if (!match) {
      response.writeHead(404).end();
      return;
    }
    const inflated = gunzipSync(body);
    this.text += `${inflated.toString('latin1')}\n${inflated.toString('utf8')}\n`;
    const decoded = decodeBody('frames', inflated, { epochMs: 0, receivedAtMs: Date.now() });
    if (decoded.fault) throw new Error(`the recorder sent a bad body: ${decoded.fault.message}`);
    const query = url.searchParams;
    const upload = {
      sessionId: match[1] ?? '',
      windowId: query.get('window') ?? '',
      uploadId: query.get('upload') ?? '',
      counter: Number(query.get('counter')),
      goodbye: query.get('goodbye') === '1',
      facts: JSON.parse(query.get('facts') ?? '{}') as Record<string, string>,
      frames: decoded.frames,
      url: request.url ?? '',
      contentType: request.headers['content-type'] ?? '',
      bytes: body.length,
      receivedAtMs: Date.now(),
    };
    const answer = this.answer(upload);
    this.uploads.push({ ...upload, status: answer.status });
    await this.#reply(response, answer, null);
  }

  #settings(): Record<string, number> {
    return {
      flushMs: 300,
      batchBytesMax: LIMITS.recorderBatchBytesMax,
      heartbeatMs: LIMITS.recorderHeartbeatMs,
      bufferBytesMax: LIMITS.recorderBufferBytesMax,
      sessionSilenceMs: LIMITS.sessionSilenceMs,
      sessionDurationMaxMs: LIMITS.sessionDurationMaxMs,
      ...this.config,
    };
  }

  async #reply(response: ServerResponse, answer: Answer, json: unknown): Promise<void> {
    if (answer.delayMs) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    await answer.until;
    if (answer.status === 0) {
      response.destroy();
      return;
    }
    response.writeHead(answer.status, { ...(json === null ? {} : { 'content-type': 'application/json' }), ...answer.headers });
    response.end(json === null ? undefined : JSON.stringify(json));
  }
}

export function jsonOf(frame: Frame): unknown {
  return JSON.parse(new TextDecoder().decode(frame.payload));
}

export function signalsOf(uploads: readonly SeenUpload[]): Signal[] {
  return uploads.flatMap((upload) => upload.frames.filter((frame) => frame.track === 'signal').map((frame) => jsonOf(frame) as Signal));
}

/** Waits until the condition holds; fails with what was waited for. */
export async function until<T>(what: string, condition: () => T | undefined | false | null, withinMs = 10_000): Promise<T> {
  const endMs = Date.now() + withinMs;
  for (;;) {
    const value = condition();
    if (value !== undefined && value !== false && value !== null) return value;
    if (Date.now() > endMs) throw new Error(`waited ${withinMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
