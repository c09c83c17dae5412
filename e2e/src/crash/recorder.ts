import { setTimeout as sleep } from 'node:timers/promises';
import type { Body } from './bodies.ts';
import { pageBody, pictureBody } from './bodies.ts';
import type { SentUpload } from './core/compare.ts';
import type { Random } from './core/random.ts';
import { between, oneOf, randomOf } from './core/random.ts';
import type { Copy } from './core/travels.ts';
import { travelOf } from './core/travels.ts';
import { digestOf } from './frames.ts';
import type { Tally } from './tally.ts';
import { count } from './tally.ts';

export interface RecorderOptions {
  readonly url: string;
  readonly writeKey: string;
  readonly sessionId: string;
  readonly shape: 'pictures' | 'page';
  /** Of everything that is chosen. */
  readonly seeds: readonly number[];
  /** Pause between the uploads of a window, ms, on average. */
  readonly intervalMs: number;
  readonly tally: Tally;
}

/** One session that is recorded while processes are killed: each upload is sent one to five times. */
export interface Recorder {
  readonly sessionId: string;
  /** In order of their first copy. */
  readonly sent: readonly SentUpload[];
  /** Resolves when that many uploads more are acknowledged; rejects when it gave up. */
  more(uploads: number): Promise<void>;
  /** A cycle is over: copies that wait for it are sent. */
  cycleIsOver(): void;
  /** Tells that the session is over, sends what is late and then a last upload; resolves when that is acknowledged. */
  finish(): Promise<void>;
  /** Sends one of its uploads again, long after everything was over. Resolves whatever the answer is. */
  echo(): Promise<void>;
  /** Sends no more; for a run that failed. */
  abort(): void;
}

/** Windows of a session, each with uploads of its own that overtake those of others. */
const WINDOWS = ['first', 'second'] as const;
/** Pause before a request is repeated, doubled up to the longest. */
const REPEAT_MS = 50;
const REPEAT_MS_MAX = 800;
/** A recorder that gets no yes for so long is a failure of its own. */
const SILENCE_MS_MAX = 180_000;
/** A request that is not answered for so long is cut. */
const ANSWER_MS_MAX = 15_000;

interface Parcel extends SentUpload {
  acknowledgedAt: number | undefined;
  readonly path: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Starts a session; resolves when its start is acknowledged. */
export async function startRecorder(options: RecorderOptions): Promise<Recorder> {
  const { sessionId, shape, seeds, intervalMs, tally } = options;
  const ofSession = randomOf(...seeds);
  const epochMs = Date.now();
  const sent: Parcel[] = [];
  const stopping = new AbortController();
  const aborting = new AbortController();
  const waiting = new Set<() => void>();
  const underWay = new Set<Promise<void>>();
  let late: { readonly parcel: Parcel; cycles: number }[] = [];
  const atTheEnd: Parcel[] = [];
  let acknowledged = 0;
  let moment = 0;

  /** True when it was a yes. */
  const request = async (path: string, body: Uint8Array<ArrayBuffer> | string | null): Promise<boolean> => {
    const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
    const headers = { authorization: `Bearer ${options.writeKey}`, ...(body === null ? {} : { 'content-type': type }) };
    try {
      const signal = AbortSignal.any([aborting.signal, AbortSignal.timeout(ANSWER_MS_MAX)]);
      const answer = await fetch(new URL(path, options.url), { method: 'POST', headers, body, signal });
      await answer.arrayBuffer();
      if (!answer.ok) count(tally.refused, answer.status);
      return answer.ok;
    } catch {
      tally.cut++;
      return false;
    }
  };
  const untilYes = async (attempt: () => Promise<boolean>): Promise<void> => {
    const deadline = Date.now() + SILENCE_MS_MAX;
    for (let pauseMs = REPEAT_MS; !(await attempt()); pauseMs = Math.min(2 * pauseMs, REPEAT_MS_MAX)) {
      if (aborting.signal.aborted) return;
      if (Date.now() > deadline) throw new Error(`${sessionId} got no acknowledgement for ${SILENCE_MS_MAX} ms`);
      await sleep(pauseMs);
    }
  };
  const send = async (parcel: Parcel): Promise<boolean> => {
    tally.requests++;
    const yes = await request(`${parcel.path}&sentAtMs=${Date.now()}`, parcel.body);
    if (!yes) return false;
    if (parcel.acknowledgedAt === undefined) {
      parcel.acknowledgedAt = moment++;
      acknowledged++;
      tally.acknowledged++;
      tally.frames += parcel.frames.length;
      for (const look of waiting) look();
    } else tally.duplicates++;
    return true;
  };
  const underWayUntilDone = (sending: Promise<unknown>): void => {
    const done = sending.then(
      () => undefined,
      () => undefined,
    );
    underWay.add(done);
    void done.then(() => underWay.delete(done));
  };
  /** One copy, once: its answer is nobody's business. */
  const sendCopy = (parcel: Parcel): void => underWayUntilDone(send(parcel));

  const parcelOf = (random: Random, windowId: string, counter: number): Parcel => {
    const name = `${windowId}/${counter}`;
    const offsetMs = counter * 1000;
    const body: Body =
      shape === 'pictures'
        ? pictureBody(random, `${sessionId} ${name}`, epochMs, offsetMs)
        : pageBody(random, `${sessionId} ${name}`, epochMs + offsetMs, counter === 0);
    // Phones have no counter: the two kinds of identity.
    const identity = shape === 'pictures' ? `upload=${windowId}-${counter}&epochMs=${epochMs}` : `upload=u${counter}&counter=${counter}`;
    const parcel: Parcel = {
      name,
      frames: body.frames.map((frame) => digestOf(windowId, frame)),
      sentAt: moment++,
      acknowledgedAt: undefined,
      path: `/v1/sessions/${sessionId}/uploads?window=${windowId}&${identity}&format=${body.format}&codec=auto`,
      body: body.bytes,
    };
    sent.push(parcel);
    tally.uploads++;
    return parcel;
  };
  const keep = (parcel: Parcel, copy: Copy): void => {
    if (copy.when === 'cycles') late.push({ parcel, cycles: copy.count });
    else if (copy.when === 'ended') atTheEnd.push(parcel);
    else if (copy.when === 'answered') underWayUntilDone(sleep(copy.delayMs).then(() => send(parcel)));
  };
  /** Sends an upload and, as they are due, its copies. */
  const upload = async (parcel: Parcel, copies: readonly Copy[], abandoned: boolean): Promise<void> => {
    for (const copy of copies) if (copy.when === 'at-once') sendCopy(parcel);
    if (abandoned) {
      await send(parcel);
      // Nothing is repeated of what was given up, but a copy that is on its way may still bring it.
      if (parcel.acknowledgedAt === undefined) return;
    } else await untilYes(() => send(parcel));
    for (const copy of copies) keep(parcel, copy);
  };
  const record = async (windowId: string, place: number): Promise<number> => {
    const random = randomOf(...seeds, place);
    let overtaken: Promise<void> = Promise.resolve();
    let counter = 0;
    for (; !stopping.signal.aborted; counter++) {
      const { copies, overtaken: isOvertaken, abandoned, pauseMs } = travelOf(random, intervalMs);
      const uploading = upload(parcelOf(random, windowId, counter), copies, abandoned);
      // At most one is overtaken at a time.
      await overtaken;
      overtaken = isOvertaken ? uploading : Promise.resolve();
      // It is awaited, only later.
      overtaken.catch(() => undefined);
      if (!isOvertaken) await uploading;
      await sleep(pauseMs);
    }
    await overtaken;
    return counter;
  };
  const settled = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.all(underWay);
  };

  const start = JSON.stringify({ sessionId, source: shape === 'pictures' ? 'phone' : 'web', startedAtMs: epochMs });
  await untilYes(() => request('/v1/sessions', start));
  tally.sessions++;
  const recording = Promise.all(WINDOWS.slice(0, between(ofSession, 1, WINDOWS.length)).map(record));
  recording.catch(() => undefined);
  return {
    sessionId,
    sent,
    async more(uploads) {
      const goal = acknowledged + uploads;
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (acknowledged >= goal) resolve();
      };
      waiting.add(look);
      await Promise.race([promise, recording]);
      waiting.delete(look);
    },
    cycleIsOver() {
      for (const one of late) if (--one.cycles === 0) sendCopy(one.parcel);
      late = late.filter(({ cycles }) => cycles > 0);
    },
    async finish() {
      stopping.abort();
      const [counter = 0] = await recording;
      await settled();
      await untilYes(() => request(`/v1/sessions/${sessionId}/end`, null));
      for (const parcel of [...atTheEnd, ...late.map(({ parcel }) => parcel)]) sendCopy(parcel);
      late = [];
      await settled();
      // Whoever has seen this one has seen everything before it.
      const last = parcelOf(ofSession, WINDOWS[0], counter);
      await untilYes(() => send(last));
      tally.unknown += sent.filter(({ acknowledgedAt }) => acknowledgedAt === undefined).length;
    },
    async echo() {
      await send(
        oneOf(
          ofSession,
          sent.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined),
        ),
      );
    },
    abort() {
      stopping.abort();
      aborting.abort();
    },
  };
}
