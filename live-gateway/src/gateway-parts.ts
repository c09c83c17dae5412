import type { Viewer as Person } from '@playhead/ports';
import type { CloseReason, JoinFrom, Position } from '@playhead/schemas';
import { CLOSE_CODES, isSessionId, partitionOf } from '@playhead/schemas';
import type { Gateway, LiveGatewayDeps } from './deps.ts';
import { SessionDirectory } from './directory/session-directory.ts';
import type { ViewerSocket } from './handover/viewer-socket.ts';
import { PacedSocket } from './handover/viewer-socket.ts';
import { Viewers } from './handover/viewers.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import { Leases } from './watches/leases.ts';
import { Windows } from './window/windows.ts';

/** A gateway without its HTTP: what serves viewers, whatever carries their sockets. */
export class GatewayParts {
  readonly gateway: Gateway;
  readonly directory: SessionDirectory;
  readonly windows: Windows;
  readonly viewers: Viewers;
  readonly #leases: Leases;

  constructor(deps: LiveGatewayDeps) {
    this.gateway = { ...deps, settings: { ...DEFAULT_SETTINGS, ...deps.settings } };
    this.directory = new SessionDirectory(this.gateway);
    this.windows = new Windows(this.gateway);
    this.#leases = new Leases(this.gateway);
    this.viewers = new Viewers(this.gateway, this.directory, this.windows, this.#leases);
  }

  start(): void {
    this.directory.start();
  }

  /**
   * Lets a person watch a session of their project from `from` on; resolves when the connection is over. A refusal is the code that the
   * socket is closed with.
   *
   * @param gone aborts when the connection is closed
   * @throws {PlayheadError} `unavailable` or `log_unavailable` when it cannot be known now whether the session exists
   */
  async admit(person: Person, sessionId: string, from: JoinFrom, socket: ViewerSocket, gone: AbortSignal): Promise<void> {
    const { directory, viewers } = this;
    if (viewers.isFull) return refuse(socket, 'overloaded');
    const isGivenOut = typeof from !== 'object' || (await this.#hasGivenOut(sessionId, from.after));
    // Last, so that nothing that happens to the session from here on is missed.
    const session = isSessionId(sessionId) ? await directory.session(person.projectId, sessionId) : null;
    if (session === null) return refuse(socket, 'session_not_found');
    if (!isGivenOut) return refuse(socket, 'position_gone');
    if (viewers.isFull) return refuse(socket, 'overloaded');
    if (gone.aborted) return;
    await viewers.serve(person, session, from, new PacedSocket(socket), gone);
  }

  /** Sends all viewers away; no new one is let in. */
  dismiss(): void {
    this.viewers.close(CLOSE_CODES.going_away, 'going_away');
  }

  /** Ends everything that follows the log. Leases are left to expire. */
  async close(): Promise<void> {
    this.#leases.close();
    await Promise.all([this.windows.close(), this.directory.close()]);
  }

  /** False for a position of another log, or of one that was wiped: offsets grow, so what is not below the end has never been. */
  async #hasGivenOut(sessionId: string, position: Position): Promise<boolean> {
    const { log } = this.gateway;
    const { next } = await log.bounds('playhead.uploads', partitionOf(sessionId, log.partitions));
    return position.offset < next;
  }
}

export function refuse(socket: ViewerSocket, reason: CloseReason): void {
  socket.close(CLOSE_CODES[reason], reason);
}
