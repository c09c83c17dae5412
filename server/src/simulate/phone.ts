import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { encodeFrameBundle } from '@playhead/schemas';
import type { DoorClient } from '../door-client.ts';
import { FRAMES_PER_BUNDLE, frameTimes, planSendings, seededRandom } from './core/plan.ts';
import { drawPhoneScreen } from './phone-screen.ts';

const gzipAsync = promisify(gzip);

/** What a phone has done so far: shown while it runs. */
export interface PhoneTally {
  frames: number;
  acknowledged: number;
  sentTwice: number;
  outOfOrder: number;
  bytes: number;
}

export interface PhoneOptions {
  readonly phone: number;
  readonly seed: number;
  readonly durationMs: number;
  readonly now: () => number;
  readonly waitUntil: (unixMs: number) => Promise<void>;
}

/**
 * Plays one phone from start to end: pictures about once a second, three to a bundle, gzip level 9, some bundles late,
 * some twice.
 *
 * @returns the session's id
 */
export async function playPhone(door: DoorClient, options: PhoneOptions, tally: PhoneTally): Promise<string> {
  const random = seededRandom(options.seed);
  const times = frameTimes(options.durationMs, random);
  const sendings = planSendings(times, random);
  const epochMs = options.now();
  const { sessionId } = await door.start({
    source: 'phone',
    userId: `traveller-${options.phone + 1}`,
    startedAtMs: epochMs,
    facts: { app: 'Wander 3.2', model: `Phone ${options.phone + 1}`, os: options.phone % 2 === 0 ? 'Android 16' : 'iOS 26' },
  });
  const bodies = new Map<number, Uint8Array<ArrayBuffer>>();
  for (const sending of sendings) {
    await options.waitUntil(epochMs + sending.atMs);
    let body = bodies.get(sending.bundle);
    if (!body) {
      const first = sending.bundle * FRAMES_PER_BUNDLE;
      const bundled = times.slice(first, first + FRAMES_PER_BUNDLE);
      const frames = await Promise.all(
        bundled.map(async (offsetMs) => ({ offsetMs, jpeg: await drawPhoneScreen(options.phone, offsetMs) })),
      );
      body = new Uint8Array(await gzipAsync(encodeFrameBundle(frames), { level: 9 }));
      bodies.set(sending.bundle, body);
      tally.frames += frames.length;
    }
    await door.upload(
      sessionId,
      { window: 'app', upload: `bundle-${sending.bundle}`, format: 'frame-bundle', codec: 'gzip', sentAtMs: options.now(), epochMs },
      body,
    );
    tally.acknowledged++;
    tally.bytes += body.length;
    if (sending.repeat) tally.sentTwice++;
    if (sending.outOfOrder) tally.outOfOrder++;
  }
  await door.end(sessionId);
  return sessionId;
}
