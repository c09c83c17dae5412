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
