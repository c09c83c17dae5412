import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Frame, PositionedFrame, Upload } from '@playhead/schemas';
import { encodeFrameBundle, encodeFrames, LIMITS, outlineOf } from '@playhead/schemas';
import { drawPhoneScreen } from '@playhead/server/phone-screen';
import { anUpload } from '@playhead/testkit';

/** An rrweb event, as much as matters here. */
export interface RrwebEvent {
  readonly type: number;
  readonly timestamp: number;
  readonly data: unknown;
}

const RECORDING = new URL('../../../shared/recordings/rrweb-demo-81s.json', import.meta.url);
/** The type of the event from which a page can be drawn. */
export const FULL_SNAPSHOT = 2;
const INCREMENTAL = 3;
const META = 4;
const MUTATION = 0;
/** What a recorder of a page that nobody watches gathers before it uploads, ms. */
const BATCH_MS = 5_000;
/** A picture a second. */
export const PICTURES_IN_BUNDLE = 3;
/** Screens that are drawn for a workload, a second apart: pictures repeat after as many, each with a comment of its own. */
const SCREENS = 84;
export const START_MS = 1_750_000_000_000;

/** Why nothing can be made of the shared recording here; '' when it can. */
export const noRecording = existsSync(RECORDING) ? '' : 'the shared recording rrweb-demo-81s.json is not beside the repository';

/** The events of the shared recording of a real page: 81 s. @throws {Error} when it is not beside the repository */
export function recordedEvents(): RrwebEvent[] {
  if (noRecording) throw new Error(noRecording);
  return JSON.parse(readFileSync(RECORDING, 'utf8')) as RrwebEvent[];
}

/** The recorded events again and again, each time as if the page were opened anew, until a session is so long. */
export function longVisit(events: readonly RrwebEvent[], beganMs: number, durationMs: number): RrwebEvent[] {
  const [first, last] = [events.at(0), events.at(-1)];
  if (first === undefined || last === undefined) return [];
  const pageMs = last.timestamp - first.timestamp + 1;
  const visit: RrwebEvent[] = [];
  for (let page = 0; page * pageMs < durationMs; page++)
    for (const event of events) visit.push({ ...event, timestamp: event.timestamp - first.timestamp + beganMs + page * pageMs });
  return visit.filter(({ timestamp }) => timestamp < beganMs + durationMs);
}

/** Events as they are sent together. */
export function batchesOf(events: readonly RrwebEvent[]): RrwebEvent[][] {
  const batches: RrwebEvent[][] = [];
  let endsMs = Number.NEGATIVE_INFINITY;
  for (const event of events) {
    if (event.timestamp >= endsMs) {
      batches.push([]);
      endsMs = event.timestamp + BATCH_MS;
    }
    batches.at(-1)?.push(event);
  }
  return batches;
}

/** Frames as they would be flushed: a block for every LIMITS.flushAgeMs in which something happened. */
export function flushesOf(frames: readonly PositionedFrame[]): PositionedFrame[][] {
  const flushes = Map.groupBy(frames, ({ timestampMs }) => Math.floor((timestampMs - (frames[0]?.timestampMs ?? 0)) / LIMITS.flushAgeMs));
  return [...flushes.values()];
}

/** A batch as our recorder uploads it and ingest logs it: frames, gzipped, and their outline. */
export function ourUpload(sessionId: string, counter: number, batch: readonly RrwebEvent[]): Upload {
  const frames: Frame[] = [];
  for (let at = 0; at < batch.length; at++) {
    const event = batch[at];
    const next = batch[at + 1];
    if (event === undefined) break;
    const isPage = event.type === META && next?.type === FULL_SNAPSHOT;
    if (isPage) at++;
    const payload = new TextEncoder().encode(JSON.stringify(isPage ? [event, next] : [event]));
    frames.push({ track: 'dom', keyframe: isPage || event.type === FULL_SNAPSHOT, timestampMs: event.timestamp, payload });
  }
  const body = new Uint8Array(gzipSync(encodeFrames(frames)));
  return anUpload({
    sessionId,
    counter,
    uploadId: `u${counter}`,
    codec: 'gzip',
    receivedAtMs: batch.at(-1)?.timestamp ?? START_MS,
    body,
    outline: outlineOf({ format: 'frames', codec: 'gzip', body }, frames, null),
  });
}

/** What a phone shows, as JPEGs of about 19 KB: the screens of the simulated travel app. */
export function drawnScreens(): Promise<readonly Uint8Array[]> {
  return Promise.all(Array.from({ length: SCREENS }, (_, second) => drawPhoneScreen(1, second * 1_000)));
}

/** A phone's bundle of pictures, a second apart, as it uploads it: gzip 9. No two pictures of a session are alike. */
export function pictureUpload(screens: readonly Uint8Array[], sessionId: string, counter: number): Upload {
  const pictures = Array.from({ length: PICTURES_IN_BUNDLE }, (_, index) => {
    const second = counter * PICTURES_IN_BUNDLE + index;
    return { offsetMs: second * 1_000, jpeg: commented(screens[second % screens.length] ?? new Uint8Array(), `${second}`) };
  });
  return anUpload({
    sessionId,
    counter: null,
    uploadId: `b${counter}`,
    format: 'frame-bundle',
    codec: 'gzip',
    epochMs: START_MS,
    receivedAtMs: START_MS + counter * 3_000,
    body: new Uint8Array(gzipSync(encodeFrameBundle(pictures), { level: 9 })),
  });
}

/** The JPEG with a comment, a segment right behind the two bytes that begin it. */
function commented(jpeg: Uint8Array, text: string): Uint8Array<ArrayBuffer> {
  const comment = Buffer.from(text);
  return new Uint8Array(Buffer.concat([jpeg.subarray(0, 2), Uint8Array.of(0xff, 0xfe, 0, comment.length + 2), comment, jpeg.subarray(2)]));
}

/** The event as posthog-js sends it by default (`cv: "2024-10"`): snapshots and the lists of mutations are gzip, in strings of latin1. */
export function gzippedInJson(event: RrwebEvent): RrwebEvent {
  const zipped = (value: unknown): string => gzipSync(JSON.stringify(value)).toString('latin1');
  if (event.type === FULL_SNAPSHOT) return Object.assign({}, event, { data: zipped(event.data), cv: '2024-10' });
  const data = event.data as { readonly source?: number } & Record<string, unknown>;
  if (event.type !== INCREMENTAL || data.source !== MUTATION) return event;
  const lists = Object.fromEntries(['texts', 'attributes', 'removes', 'adds'].map((name) => [name, zipped(data[name])]));
  return Object.assign({}, event, { data: { ...data, ...lists }, cv: '2024-10' });
}

/** A batch as a message of the largest open-source peer holds it: JSON in JSON. */
export function peerMessage(sessionId: string, batch: readonly RrwebEvent[]): string {
  const properties = { $session_id: sessionId, $window_id: 'w', $snapshot_source: 'web', $snapshot_items: batch };
  return JSON.stringify({
    uuid: sessionId,
    distinct_id: sessionId,
    token: 't',
    data: JSON.stringify({ event: '$snapshot_items', properties }),
  });
}
