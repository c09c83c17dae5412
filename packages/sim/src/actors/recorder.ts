import type { Upload } from '@playhead/schemas';
import type { PlannedSession, PlannedUpload, PlannedWindow } from '../plan.ts';
import type { World } from '../world/world.ts';
import type { Ingest } from './ingest.ts';

/** After this a recorder believes that its request is lost, and sends the upload again. */
const ANSWER_WITHIN_MS = 5_000;

/** The recorders of one session: send, wait for the answer, send again; and what was acknowledged. */
export class Recorders {
  readonly #world: World;
  readonly #session: PlannedSession;
  /** An ingest process behind the balancer; undefined when none is up. */
  readonly #anyIngest: () => Ingest | undefined;
  readonly #acknowledged: Upload[] = [];
  #working = 0;
  #sent = 0;

  constructor(world: World, session: PlannedSession, anyIngest: () => Ingest | undefined) {
    this.#world = world;
    this.#session = session;
    this.#anyIngest = anyIngest;
    for (const window of session.windows) this.#work(() => this.#record(window));
    const { toldEndAtMs } = session;
    if (toldEndAtMs !== null) this.#work(() => this.#tellEnd(toldEndAtMs));
  }

  get acknowledged(): readonly Upload[] {
    return this.#acknowledged;
  }

  get areDone(): boolean {
    return this.#working === 0;
  }

  /** Requests sent, copies and repetitions among them. */
  get sent(): number {
    return this.#sent;
  }

  #work(run: () => Promise<void>): void {
    this.#working++;
    void run().finally(() => {
      this.#working--;
    });
  }

  async #record({ uploads, closesAtMs }: PlannedWindow): Promise<void> {
    for (const planned of uploads) {
      await this.#until(planned.atMs);
      const isOpen = (): boolean => this.#world.sinceStartMs() < closesAtMs;
      if (!(await this.#send(planned.upload, isOpen))) return;
      this.#acknowledged.push(planned.upload);
      this.#repeat(planned);
    }
  }

  #repeat({ upload, copiesAfterMs }: PlannedUpload): void {
    for (const afterMs of copiesAfterMs) {
      this.#work(async () => {
        await this.#world.time.sleep(afterMs);
        await this.#send(upload, () => true);
      });
    }
  }

  /** True when it was acknowledged. */
  async #send(upload: Upload, isOpen: () => boolean): Promise<boolean> {
    const { time, random, trace } = this.#world;
    for (let attempt = 0; isOpen(); attempt++) {
      const isAcknowledged = await this.#request((ingest) => ingest.take(upload));
      const { sessionId, windowId, uploadId } = upload;
      trace(() => `${sessionId} ${windowId}/${uploadId} ${isAcknowledged ? 'acknowledged' : 'not acknowledged'}`);
      if (isAcknowledged) return true;
      await time.sleep(random.int(100, 500 * 2 ** Math.min(attempt, 3)));
    }
    return false;
  }

  async #tellEnd(atMs: number): Promise<void> {
    const { time } = this.#world;
    await this.#until(atMs);
    while (
      !(await this.#request((ingest) => ingest.end(this.#session.windows[0]?.uploads[0]?.upload.projectId ?? '', this.#session.sessionId)))
    ) {
      await time.sleep(500);
    }
  }

  /** One request to one ingest process. False when it was refused, or when no answer came. */
  #request(call: (ingest: Ingest) => Promise<void>): Promise<boolean> {
    const { time, random } = this.#world;
    this.#sent++;
    return new Promise((resolve) => {
      const cancel = time.after(ANSWER_WITHIN_MS, () => resolve(false));
      const answer = (isAcknowledged: boolean): void => {
        // Answers get lost too.
        if (this.#world.isTroubled() && random.chance(this.#world.plan.chances.lostConnection)) return;
        cancel();
        resolve(isAcknowledged);
      };
      time.after(random.int(1, 30), () => {
        const ingest = this.#anyIngest();
        if (ingest === undefined) return answer(false);
        ingest.process.post(() => {
          call(ingest).then(
            () => answer(true),
            () => answer(false),
          );
        });
      });
    });
  }

  async #until(atMs: number): Promise<void> {
    await this.#world.time.sleep(Math.max(0, atMs - this.#world.sinceStartMs()));
  }
}
