import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Frame } from '@playhead/schemas';
import { encodeFrameBundle, encodeFrames } from '@playhead/schemas';
import type { DoorClient } from '../door-client.ts';
import { DoorRefusal } from '../door-client.ts';
import type { Absence, Sending } from './core/plan.ts';
import { frameTimes, planAbsences, planBundles, planSendings, seededRandom } from './core/plan.ts';
import { WaitingUploads } from './core/waiting.ts';
import { drawPhoneScreen } from './phone-screen.ts';

const gzipAsync = promisify(gzip);
const utf8 = new TextEncoder();
const ABSENCE_SEED = 500_000;

/** What a phone has done so far: shown while it runs. */
export interface PhoneTally {
  frames: number;
  acknowledged: number;
  sentTwice: number;
  outOfOrder: number;
  /** Pictures that had to go, because too many waited. */
  dropped: number;
  /** Gaps that were told. */
  gaps: number;
  bytes: number;
}

export interface PhoneOptions {
  readonly phone: number;
  readonly seed: number;
  readonly durationMs: number;
  readonly now: () => number;
  readonly waitUntil: (unixMs: number) => Promise<void>;
}

/** What a phone does next: one of its bundles leaves, or it is back on the screen. */
type Step = { readonly atMs: number; readonly sending: Sending } | { readonly atMs: number; readonly absence: Absence };

/**
 * Plays one phone from start to end: pictures about once a second, three to a bundle, gzip level 9, some bundles late,
 * some twice; now and then it is in the background for some seconds. While the server does not answer, bundles wait, and
 * the oldest go when they are too many. What is missing is told.
 *
 * @returns the session's id
 */
export async function playPhone(door: DoorClient, options: PhoneOptions, tally: PhoneTally): Promise<string> {
  const random = seededRandom(options.seed);
  // A dice of its own: whether a phone is put away decides nothing else.
  const absences = planAbsences(options.durationMs, seededRandom(options.seed + ABSENCE_SEED));
  const bundles = planBundles(frameTimes(options.durationMs, absences, random), absences);
  const steps = [
    ...planSendings(bundles, absences, random).map((sending): Step => ({ atMs: sending.atMs, sending })),
    ...absences.map((absence): Step => ({ atMs: absence.toMs, absence })),
  ].toSorted((a, b) => a.atMs - b.atMs);
  const epochMs = options.now();
  const { sessionId } = await door.start({
    source: 'phone',
    userId: `traveller-${options.phone + 1}`,
    startedAtMs: epochMs,
    facts: { app: 'Wander 3.2', model: `Phone ${options.phone + 1}`, os: options.phone % 2 === 0 ? 'Android 16' : 'iOS 26' },
  });
  const bodies = new Map<number, Uint8Array<ArrayBuffer>>();
  const arrived = new Set<string>();
  const waiting = new WaitingUploads();

  const take = async (step: Step): Promise<void> => {
    if ('absence' in step) {
      const { fromMs, toMs } = step.absence;
      waiting.miss({ kind: 'gap', reason: 'background', fromMs: epochMs + fromMs, toMs: epochMs + toMs });
      return;
    }
    const { bundle, repeat, outOfOrder } = step.sending;
    const id = `bundle-${bundle}`;
    // Only what has arrived can come twice.
    if (repeat && !arrived.has(id)) return;
    const times = bundles[bundle] ?? [];
    let body = bodies.get(bundle);
    if (!body) {
      const frames = await Promise.all(times.map(async (offsetMs) => ({ offsetMs, jpeg: await drawPhoneScreen(options.phone, offsetMs) })));
      body = new Uint8Array(await gzipAsync(encodeFrameBundle(frames), { level: 9 }));
      bodies.set(bundle, body);
      tally.frames += frames.length;
    }
    if (repeat) tally.sentTwice++;
    if (outOfOrder) tally.outOfOrder++;
    tally.dropped += waiting.add({ id, times: repeat ? [] : times.map((offsetMs) => epochMs + offsetMs), body });
  };

  const send = async (): Promise<void> => {
    for (let bundle = waiting.first; bundle; bundle = waiting.first) {
      const format = { format: 'frame-bundle', codec: 'gzip', epochMs } as const;
      await door.upload(sessionId, { window: 'app', upload: bundle.id, ...format, sentAtMs: options.now() }, bundle.body);
      waiting.sent(bundle);
      arrived.add(bundle.id);
      tally.acknowledged++;
      tally.bytes += bundle.body.length;
    }
    for (const gap of waiting.gaps) {
      const timestampMs = options.now();
      const frame: Frame = { track: 'signal', keyframe: false, timestampMs, payload: utf8.encode(JSON.stringify(gap)) };
      // A gap that has grown since it was tried is another one.
      const upload = `gap-${gap.reason}-${gap.fromMs}-${gap.toMs}`;
      await door.upload(
        sessionId,
        { window: 'app', upload, format: 'frames', codec: 'identity', sentAtMs: timestampMs },
        encodeFrames([frame]),
      );
      waiting.told(gap);
      tally.gaps++;
    }
  };

  let isAway = false;
  while (steps.length > 0 || !waiting.isEmpty) {
    await options.waitUntil(epochMs + (steps[0]?.atMs ?? 0));
    // Trying in vain has taken time, in which the phone went on.
    const due = isAway ? steps.filter(({ atMs }) => epochMs + atMs <= options.now()).length : 1;
    for (const step of steps.splice(0, Math.max(1, due))) await take(step);
    try {
      await send();
      isAway = false;
    } catch (error) {
      // The door has tried for long. While there is more to record the phone goes on; at the end it has to say so.
      if (!(error instanceof DoorRefusal && error.isTemporary) || steps.length === 0) throw error;
      isAway = true;
    }
  }
  await door.end(sessionId);
  return sessionId;
}
