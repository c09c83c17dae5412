import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ControlMessage, EndReason, Frame, Offset, PositionedFrame, SessionInfo } from '@playhead/schemas';
import { CLOSE_CODES, comparePositions, encodeFramesMessage, formatPosition, NO_COUNTS, parsePosition, toOffset } from '@playhead/schemas';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import { keyframeJoin } from './keyframe-join.ts';

/**
 * A server that speaks the read API and the stream from memory: what the player is tried against where no whole Playhead
 * runs. Uploads are appended by the test; everything else follows the contract.
 */

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
/** Like the real server's: no scripts but ours, and styles as recorded pages need them. */
const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline' https: http:; img-src 'self' data: blob: https: http:; font-src 'self' data: https: http:; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

interface StoredUpload {
  readonly receivedAtMs: number;
  readonly sentAtMs: number;
  readonly frames: readonly PositionedFrame[];
}

export class FixtureSession {
  info: SessionInfo;
  readonly uploads: StoredUpload[] = [];
  /** All connections, and those of them that are at the live edge. */
  readonly connections = new Set<WebSocket>();
  readonly sockets = new Set<WebSocket>();
  /** `from` of every join, in order. */
  readonly joins: string[] = [];
  /** Offsets that the catalog tells as lost. */
  gaps: { readonly firstOffset: Offset; readonly lastOffset: Offset }[] = [];
  /** How many uploads are in blocks. */
  storedUploads = 0;
  /** A stream from the start gets so many uploads, then nothing before `release`. */
  heldBehind = Number.POSITIVE_INFINITY;
  readonly #held: (() => void)[] = [];
  #nextOffset = 100;

  constructor(info: SessionInfo) {
    this.info = info;
  }

  /** One upload, as if it was received now. */
  append(windowId: string, frames: readonly Frame[], times: { receivedAtMs?: number; sentAtMs?: number } = {}): PositionedFrame[] {
    const offset = toOffset(this.#nextOffset);
    this.#nextOffset += 3;
    const positioned = frames.map((frame, index) => ({ ...frame, windowId, position: { offset, index } }));
    const receivedAtMs = times.receivedAtMs ?? Date.now();
    const upload = { receivedAtMs, sentAtMs: times.sentAtMs ?? receivedAtMs, frames: positioned };
    this.uploads.push(upload);
    const count = (test: (frame: Frame) => boolean): number => frames.filter(test).length;
    const kind = (frame: Frame): string =>
      frame.track === 'signal' ? String(JSON.parse(new TextDecoder().decode(frame.payload)).kind) : '';
    const { counts } = this.info;
    this.info = {
      ...this.info,
      lastActivityMs: Math.max(this.info.lastActivityMs, ...frames.map((frame) => frame.timestampMs)),
      durationMs: Math.max(this.info.durationMs, ...frames.map((frame) => frame.timestampMs - this.info.startedAtMs)),
      counts: {
        ...counts,
        frames: counts.frames + frames.length,
        images: counts.images + count((frame) => frame.track === 'image'),
        keyframes: counts.keyframes + count((frame) => frame.keyframe),
        clicks: counts.clicks + count((frame) => ['click', 'tap'].includes(kind(frame))),
        navigations: counts.navigations + count((frame) => kind(frame) === 'navigation'),
        errors: counts.errors + count((frame) => kind(frame) === 'error'),
      },
    };
    for (const socket of this.sockets) socket.send(encodeFramesMessage(upload));
    return positioned;
  }

  control(message: ControlMessage): void {
    for (const socket of this.sockets) socket.send(JSON.stringify(message));
  }

  beat(): void {
    const lastReceivedAtMs = this.uploads.at(-1)?.receivedAtMs ?? 0;
    const beat: ControlMessage = { type: 'heartbeat', serverTimeMs: Date.now(), lastReceivedAtMs };
    for (const socket of this.connections) socket.send(JSON.stringify(beat));
  }

  end(reason: EndReason): void {
    this.info = { ...this.info, live: false, endedAtMs: Date.now(), endReason: reason };
    this.control({ type: 'ended', reason, endedAtMs: Date.now() });
    this.control({ type: 'state', state: 'ended' });
  }

  /** Calls back when history may be sent as a whole. */
  whenReleased(run: () => void): void {
    this.#held.push(run);
  }

  release(): void {
    this.heldBehind = Number.POSITIVE_INFINITY;
    for (const run of this.#held.splice(0)) run();
  }

  /** Everything so far is in blocks. */
  store(): void {
    this.storedUploads = this.uploads.length;
  }

  /** Cuts all connections, as a network does. */
  drop(): void {
    for (const socket of this.connections) socket.terminate();
  }

  frame(position: string): PositionedFrame | undefined {
    return this.uploads
      .slice(0, this.storedUploads)
      .flatMap((upload) => upload.frames)
      .find((frame) => formatPosition(frame.position) === position);
  }
}

export interface FixtureServer {
  readonly url: string;
  readonly sessions: Map<string, FixtureSession>;
  /** Set to answer 401 to everything. */
  signedIn: boolean;
  demoShopUrl: string;
  add(sessionId: string, info?: Partial<SessionInfo>): FixtureSession;
  announce(session: FixtureSession): void;
  close(): Promise<void>;
}

export async function startFixtureServer(port = 0): Promise<FixtureServer> {
  const feeds = new Set<ServerResponse>();
  const http: Server = createServer((request, response) => answer(request, response));
  const sockets = new WebSocketServer({ noServer: true });
  const heartbeat = setInterval(() => {
    for (const session of fixture.sessions.values()) {
      session.beat();
    }
  }, 500);

  const fixture: FixtureServer = {
    url: '',
    sessions: new Map(),
    signedIn: true,
    demoShopUrl: 'http://127.0.0.1:4751/',
    add(sessionId, info = {}) {
      const session = new FixtureSession(anInfo(sessionId, info));
      fixture.sessions.set(sessionId, session);
      fixture.announce(session);
      return session;
    },
    announce(session) {
      for (const feed of feeds) feed.write(`event: session\ndata: ${JSON.stringify(session.info)}\n\n`);
    },
    async close() {
      clearInterval(heartbeat);
      for (const session of fixture.sessions.values()) session.drop();
      for (const feed of feeds) feed.destroy();
      sockets.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://fixture');
    const json = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (!url.pathname.startsWith('/v1/')) {
      page(url.pathname, response);
      return;
    }
    if (url.pathname === '/v1/app-config') {
      json(200, fixture.demoShopUrl ? { demoShopUrl: fixture.demoShopUrl } : {});
      return;
    }
    if (!fixture.signedIn) {
      json(401, { error: { code: 'unauthorized', message: 'no token' } });
      return;
    }
    const parts = url.pathname.split('/').slice(3);
    if (parts.length === 0) {
      const limit = Number(url.searchParams.get('limit') ?? 50);
      const before = Number(url.searchParams.get('before') ?? Number.POSITIVE_INFINITY);
      const all = [...fixture.sessions.values()].map((session) => session.info).toSorted((a, b) => b.startedAtMs - a.startedAtMs);
      const rest = all.filter((info) => info.startedAtMs < before);
      const sessions = rest.slice(0, limit);
      json(200, { sessions, next: rest.length > limit ? (sessions.at(-1)?.startedAtMs ?? null) : null });
      return;
    }
    if (parts[0] === 'feed') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      response.write(': here\n\n');
      feeds.add(response);
      response.on('close', () => feeds.delete(response));
      return;
    }
    const session = fixture.sessions.get(parts[0] ?? '');
    if (!session) json(404, { error: { code: 'session_not_found', message: 'none' } });
    else if (parts[1] === undefined) json(200, session.info);
    else if (parts[1] === 'blocks') json(200, listing(session));
    else if (parts[1] === 'frames') {
      const frame = session.frame(parts[2] ?? '');
      if (frame) response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(frame.payload);
      else json(404, { error: { code: 'not_found', message: 'none' } });
    } else json(404, { error: { code: 'not_found', message: 'none' } });
  }

  http.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '/', 'http://fixture');
    const session = fixture.sessions.get(url.pathname.split('/')[3] ?? '');
    sockets.handleUpgrade(request, socket, head, (viewer) => {
      if (!fixture.signedIn) viewer.close(CLOSE_CODES.unauthorized, 'unauthorized');
      else if (session) joinLive(session, url.searchParams.get('from') ?? 'start', viewer);
      else viewer.close(CLOSE_CODES.session_not_found, 'session_not_found');
    });
  });

  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  return Object.assign(fixture, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
}

function joinLive(session: FixtureSession, from: string, viewer: WebSocket): void {
  session.joins.push(from);
  const tell = (message: ControlMessage): void => viewer.send(JSON.stringify(message));
  tell({ type: 'welcome', version: 1, session: session.info, serverTimeMs: Date.now() });
  tell({ type: 'state', state: from === 'start' || from === 'keyframe' ? 'replaying' : 'catching-up' });
  const after = parsePosition(from);
  const wanted = new Set(from === 'keyframe' ? keyframeJoin(session.uploads.flatMap(({ frames }) => frames)) : []);
  const isWanted = (frame: PositionedFrame): boolean =>
    from === 'keyframe' ? wanted.has(frame) : after === undefined || comparePositions(frame.position, after) > 0;
  const send = (uploads: readonly StoredUpload[]): void => {
    for (const upload of uploads) {
      const frames = upload.frames.filter(isWanted);
      if (frames.length > 0) viewer.send(encodeFramesMessage({ receivedAtMs: 0, sentAtMs: 0, frames }));
    }
  };
  const goOn = (): void => {
    send(session.uploads.slice(sent));
    const { endReason, endedAtMs } = session.info;
    if (endedAtMs !== null) tell({ type: 'ended', reason: endReason ?? 'silence', endedAtMs });
    tell({ type: 'state', state: endedAtMs === null ? 'live' : 'ended' });
    session.sockets.add(viewer);
  };
  const sent = from === 'start' ? Math.min(session.heldBehind, session.uploads.length) : 0;
  send(session.uploads.slice(0, sent));
  session.connections.add(viewer);
  viewer.on('close', () => {
    session.connections.delete(viewer);
    session.sockets.delete(viewer);
  });
  if (from === 'start' && session.heldBehind < Number.POSITIVE_INFINITY) session.whenReleased(goOn);
  else goOn();
}

function listing(session: FixtureSession): unknown {
  const uploads = session.uploads.slice(0, session.storedUploads);
  const frames = uploads.flatMap((upload) => upload.frames);
  if (frames.length === 0) return { chainEnd: -1, gaps: session.gaps, blocks: [] };
  const listed = frames.map((frame) => ({
    position: formatPosition(frame.position),
    windowId: frame.windowId,
    track: frame.track,
    keyframe: frame.keyframe,
    timestampMs: frame.timestampMs,
    width: 0,
    height: 0,
    bytes: frame.payload.length,
  }));
  return { chainEnd: frames.at(-1)?.position.offset, gaps: session.gaps, blocks: [{ id: '1', bytes: 1, windows: [], frames: listed }] };
}

function page(path: string, response: ServerResponse): void {
  const file = join(DIST, path);
  const found = extname(path) !== '' && existsSync(file);
  const type = found ? (TYPES[extname(path)] ?? 'application/octet-stream') : 'text/html';
  response
    .writeHead(200, { 'content-type': type, 'content-security-policy': CSP })
    .end(readFileSync(found ? file : join(DIST, 'index.html')));
}

function anInfo(sessionId: string, info: Partial<SessionInfo>): SessionInfo {
  const now = Date.now();
  const counts = { ...NO_COUNTS };
  return {
    projectId: 'demo',
    sessionId,
    userId: '',
    source: 'web',
    startedAtMs: now,
    lastActivityMs: now,
    endedAtMs: null,
    endReason: null,
    live: info.endedAtMs === undefined || info.endedAtMs === null,
    durationMs: 0,
    counts,
    bytes: 0,
    windows: 1,
    pages: [],
    facts: {},
    ...info,
  };
}
