import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { encodeFrameBundle } from '@playhead/schemas';
import { jpegOf } from '@playhead/testkit';
import { expect } from 'vitest';
import { sessionIn } from './session-in.ts';
import type { ViewerClient } from './viewer-client.ts';
import { growing, joinSession, payloadHash } from './viewer-client.ts';
import { refusalOf } from './visits.ts';

const PICTURES_PER_BUNDLE = 3;
const PICTURE_BYTES = 3000;
/** One bundle of so many is sent a second time after its acknowledgement, to the next door. */
const SENT_AGAIN_EVERY = 7;
/** Pause before a request is repeated, doubled up to the longest. */
const REPEAT_MS = 100;
const REPEAT_MS_MAX = 1600;
const PATIENCE_MS = 90_000;

export interface PhoneOptions {
  /** Origins that take uploads, used in turn; often one, a proxy. */
  readonly doors: readonly string[];
  readonly writeKey: string;
  /** Pause after each acknowledgement. */
  readonly intervalMs: number;
  /** A phone that gets no acknowledgement for so long is given up. Default 90 s. */
  readonly patienceMs?: number;
}

/** A phone that uploads bundles of pictures, one after the other, until it is told to stop. A bundle is repeated until it is acknowledged. */
export interface Phone {
  readonly sessionId: string;
  /** Hashes of the pictures whose upload was acknowledged, in that order. */
  readonly acknowledged: readonly string[];
  /** Answers that were no yes: their status, or what cut the request. */
  readonly refusals: readonly string[];
  /** Resolves when `count` further bundles are acknowledged; rejects when the phone gave up. */
  more(count: number): Promise<void>;
  /** Tells that the session is over; resolves when that is acknowledged. */
  stop(): Promise<void>;
}

/** Starts a session in a given partition of `partitions`; resolves when its start is acknowledged. */
export async function startPhone(options: PhoneOptions, partition: number, partitions: number): Promise<Phone> {
  const { doors, writeKey, intervalMs, patienceMs = PATIENCE_MS } = options;
  const sessionId = sessionIn(partition, partitions, () => randomBytes(10));
  const epochMs = Date.now();
  const acknowledged: string[] = [];
  const refusals: string[] = [];
  const waiting = new Set<() => void>();
  const stopping = new AbortController();

  const post = async (door: number, path: string, body: Uint8Array<ArrayBuffer> | string | null): Promise<void> => {
    const url = new URL(path, doors[door % doors.length]);
    const deadline = Date.now() + patienceMs;
    for (let pauseMs = REPEAT_MS; ; pauseMs = Math.min(2 * pauseMs, REPEAT_MS_MAX)) {
      const refusal = await sent(url, writeKey, body);
      if (refusal === '') return;
      refusals.push(refusal);
      if (Date.now() > deadline) throw new Error(`${sessionId} gave up: ${refusals.slice(-3).join('; ')}`);
      await sleep(pauseMs);
    }
  };

  const upload = async (): Promise<void> => {
    for (let bundle = 0; !stopping.signal.aborted; bundle++) {
      const pictures = Array.from({ length: PICTURES_PER_BUNDLE }, (_, index) => bundle * PICTURES_PER_BUNDLE + index);
      const frames = pictures.map((picture) => ({
        offsetMs: picture * 1000,
        jpeg: jpegOf({ comment: `${sessionId} ${picture}`, bytesMin: PICTURE_BYTES }),
      }));
      const body = new Uint8Array(gzipSync(encodeFrameBundle(frames), { level: 9 }));
      const query = `window=app&upload=bundle-${bundle}&format=frame-bundle&codec=gzip&sentAtMs=${Date.now()}&epochMs=${epochMs}`;
      const path = `/v1/sessions/${sessionId}/uploads?${query}`;
      await post(bundle, path, body);
      acknowledged.push(...frames.map(({ jpeg }) => payloadHash(jpeg)));
      for (const look of waiting) look();
      if (bundle % SENT_AGAIN_EVERY === 3) await post(bundle + 1, path, body);
      await sleep(intervalMs);
    }
    await post(0, `/v1/sessions/${sessionId}/end`, null);
  };

  await post(0, '/v1/sessions', JSON.stringify({ sessionId, source: 'phone', startedAtMs: epochMs }));
  const uploading = upload();
  // Whoever waits hears of it.
  uploading.catch(() => undefined);
  return {
    sessionId,
    acknowledged,
    refusals,
    async more(count) {
      const goal = acknowledged.length + count * PICTURES_PER_BUNDLE;
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (acknowledged.length >= goal) resolve();
      };
      waiting.add(look);
      await Promise.race([promise, uploading]);
      waiting.delete(look);
    },
    async stop() {
      stopping.abort();
      await uploading;
    },
  };
}

function sent(url: URL, writeKey: string, body: Uint8Array<ArrayBuffer> | string | null): Promise<string> {
  const contentType = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
  const headers = { authorization: `Bearer ${writeKey}`, ...(body === null ? {} : { 'content-type': contentType }) };
  return refusalOf(url, { method: 'POST', headers, body });
}

/** A viewer has seen the whole session to its end: every acknowledged picture once, in order. */
export async function expectWhole(viewer: ViewerClient, { acknowledged }: Phone): Promise<void> {
  await viewer.until(({ frames, control }) => frames.length >= acknowledged.length && control.some(({ type }) => type === 'ended'));
  expect(viewer.frames.map(({ payload }) => payloadHash(payload))).toEqual(acknowledged);
  expect(growing(viewer.frames.map(({ position }) => position))).toBe(true);
}

/** The same for whoever joins now, at each of `gateways`. */
export async function expectReplayable(gateways: readonly string[], token: string, phone: Phone): Promise<void> {
  for (const gateway of gateways) {
    const viewer = await joinSession(gateway, token, phone.sessionId, 'start');
    await expectWhole(viewer, phone).finally(() => viewer.close());
  }
}
