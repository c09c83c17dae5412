import { announcement, followLog, SessionBook, settingsOf } from '@playhead/ingest';
import type { EventLog } from '@playhead/ports';
import type { Upload } from '@playhead/schemas';
import { silentLogger } from '@playhead/testkit';
import type { SimProcess } from '../world/process.ts';

const SETTINGS = settingsOf({ appendTimeoutMs: 3_000, tailPauseMs: 200 });

/** An ingest process from the acknowledgement inwards: its memory of sessions and its way to the log. */
export class Ingest {
  readonly process: SimProcess;
  readonly #book: SessionBook;
  readonly #stop = new AbortController();

  constructor(process: SimProcess, log: EventLog) {
    this.process = process;
    const { clock } = process;
    this.#book = new SessionBook(log, clock, SETTINGS);
    void followLog({ log, clock, logger: silentLogger }, this.#book, SETTINGS.tailPauseMs, this.#stop.signal);
  }

  /** Resolves when the upload is acknowledged; rejects when it is refused. Neither when the process dies. */
  async take(sent: Upload): Promise<void> {
    const upload = { ...sent, receivedAtMs: this.process.clock.now() };
    await this.#book.announce(announcement(upload));
    await this.#book.append(upload, () => undefined);
  }

  async end(projectId: string, sessionId: string): Promise<void> {
    await this.#book.tell({ kind: 'ended', projectId, sessionId, endedAtMs: this.process.clock.now(), reason: 'told' });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
  }
}
