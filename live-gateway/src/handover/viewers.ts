import type { Viewer as Person } from '@playhead/ports';
import type { JoinFrom, SessionInfo } from '@playhead/schemas';
import { partitionOf } from '@playhead/schemas';
import type { Gateway } from '../deps.ts';
import type { SessionDirectory } from '../directory/session-directory.ts';
import { errorText } from '../error-text.ts';
import type { Leases } from '../watches/leases.ts';
import type { Windows } from '../window/windows.ts';
import { Viewer } from './viewer.ts';
import type { PacedSocket } from './viewer-socket.ts';

/** A connected viewer, as the process counts it. */
interface Connected {
  readonly socket: PacedSocket;
  readonly projectId: string;
  readonly sessionId: string;
  readonly name: string;
  readonly watchId: string;
  readonly viewer: Viewer;
  taken: number;
  takenAtMs: number;
}

/** All viewers of this process: lets them in, beats for them, tells them the ends of sessions, sends them away at the end. */
export class Viewers {
  readonly #gateway: Gateway;
  readonly #directory: SessionDirectory;
  readonly #windows: Windows;
  readonly #leases: Leases;
  readonly #connected = new Set<Connected>();
  readonly #stopListening: () => void;
  #cancelBeat: () => void = () => {};
  #closing = false;

  constructor(gateway: Gateway, directory: SessionDirectory, windows: Windows, leases: Leases) {
    this.#gateway = gateway;
    this.#directory = directory;
    this.#windows = windows;
    this.#leases = leases;
    this.#stopListening = directory.listen((projectId, sessionId, fact) => {
      if (fact === 'ended') void this.#onEnd(projectId, sessionId);
    });
  }

  get count(): number {
    return this.#connected.size;
  }

  get isFull(): boolean {
    return this.#closing || this.#connected.size >= this.#gateway.settings.viewersMax;
  }

  /**
   * Serves one viewer until `gone`.
   *
   * @param session as the directory knows it now
   * @param gone aborts when the connection is closed
   */
  async serve(person: Person, session: SessionInfo, from: JoinFrom, socket: PacedSocket, gone: AbortSignal): Promise<void> {
    const { log, catalog, clock, logger } = this.#gateway;
    const { projectId, sessionId } = session;
    const partition = partitionOf(sessionId, log.partitions);
    const release = session.live ? this.#leases.watch(projectId, sessionId) : null;
    const window = this.#windows.open(partition, projectId, sessionId);
    const viewer = new Viewer(this.#gateway, session, partition, from, socket, window);
    const name = person.viewer;
    // Who opens a second connection, as for history, watches once.
    const watchId = this.#watchIdOf(name, projectId, sessionId) ?? this.#leases.newWatchId();
    const connected: Connected = { socket, projectId, sessionId, name, watchId, viewer, taken: 0, takenAtMs: clock.now() };
    if (this.#connected.size === 0) this.#beat();
    this.#connected.add(connected);
    gone.addEventListener('abort', () => viewer.leave(), { once: true });
    const view = {
      projectId,
      sessionId,
      watchId,
      viewer: name,
      startedAtMs: clock.now(),
    };
    // The catalog is asked what there is to see before it is told who sees it.
    void viewer.located
      .then(() => catalog.recordView(view))
      .catch((error: unknown) => logger.error({ sessionId, error: errorText(error) }, 'a view could not be recorded'));
    if (session.endedAtMs !== null) void viewer.end(session);
    // Between the directory's answer and now the session may have ended.
    else void this.#tellIfEnded(viewer, projectId, sessionId);
    try {
      await viewer.run();
    } finally {
      window.close();
      release?.();
      this.#connected.delete(connected);
      if (this.#connected.size === 0) this.#cancelBeat();
    }
  }

  /** Of somebody who watches the session already. */
  #watchIdOf(name: string, projectId: string, sessionId: string): string | undefined {
    for (const one of this.#connected)
      if (one.name === name && one.sessionId === sessionId && one.projectId === projectId) return one.watchId;
    return undefined;
  }

  /** Says goodbye to everybody; who does not answer in `goodbyeMs` is cut off, so that nobody holds up the end. */
  close(code: number, reason: string): void {
    this.#closing = true;
    this.#stopListening();
    this.#cancelBeat();
    const leaving = [...this.#connected];
    for (const { socket, viewer } of leaving) {
      socket.close(code, reason);
      viewer.leave();
    }
    this.#gateway.clock.setTimer(this.#gateway.settings.goodbyeMs, () => {
      for (const { socket } of leaving) socket.terminate();
    });
  }

  async #onEnd(projectId: string, sessionId: string): Promise<void> {
    this.#leases.ended(projectId, sessionId);
    const viewers = [...this.#connected].filter((one) => one.sessionId === sessionId && one.projectId === projectId);
    await Promise.all(viewers.map(({ viewer }) => this.#tellIfEnded(viewer, projectId, sessionId)));
  }

  async #tellIfEnded(viewer: Viewer, projectId: string, sessionId: string): Promise<void> {
    const end = this.#directory.endOf(projectId, sessionId);
    if (end !== null) await viewer.end(end);
  }

  #beat(): void {
    const { clock, settings } = this.#gateway;
    this.#cancelBeat = clock.setTimer(settings.viewerHeartbeatMs, () => {
      for (const one of this.#connected) {
        one.viewer.heartbeat();
        if (one.socket.buffered === 0 || one.socket.taken !== one.taken) {
          one.taken = one.socket.taken;
          one.takenAtMs = clock.now();
        } else if (clock.now() - one.takenAtMs > settings.viewerStallMs) one.socket.terminate();
      }
      this.#beat();
    });
  }
}
