import { gzipSync } from 'node:zlib';
import type { BodyFormat, Frame } from '@playhead/schemas';
import { encodeFrameBundle, encodeFrames } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, aSignalFrame, jpegOf } from '@playhead/testkit';
import type { Random } from './core/random.ts';
import { between, oneOf } from './core/random.ts';

/** The body of an upload, and the frames in it. */
export interface Body {
  readonly format: BodyFormat;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The first is like no other of the session. */
  readonly frames: readonly Frame[];
}

const PICTURES_MAX = 4;
const PICTURE_BYTES = 1500;
const SIGNALS_MAX = 3;
const SIGNAL_KINDS = ['click', 'tap', 'input', 'navigation', 'console', 'request', 'error', 'crash', 'custom'] as const;

/** A phone's bundle. Of a screen on which nothing moves, the same picture follows itself. */
export function pictureBody(random: Random, name: string, epochMs: number, offsetMs: number): Body {
  let jpeg = jpegOf({ comment: name, bytesMin: PICTURE_BYTES });
  const pictures = Array.from({ length: between(random, 1, PICTURES_MAX) }, (_, index) => {
    if (index > 0 && random() < 0.6) jpeg = jpegOf({ comment: `${name} ${index}`, bytesMin: PICTURE_BYTES });
    return { offsetMs: offsetMs + index * 100, jpeg };
  });
  return {
    format: 'frame-bundle',
    bytes: new Uint8Array(gzipSync(encodeFrameBundle(pictures))),
    frames: pictures.map((picture) => ({
      track: 'image',
      keyframe: true,
      timestampMs: epochMs + picture.offsetMs,
      payload: picture.jpeg,
    })),
  };
}

/** A page's batch: a change or the whole page, then signals. */
export function pageBody(random: Random, name: string, atMs: number, first: boolean): Body {
  const picture = first || random() < 0.1 ? aDomKeyframe(atMs, name) : aDomChange(atMs, name);
  const signals = Array.from({ length: between(random, 0, SIGNALS_MAX) }, (_, index) =>
    aSignalFrame(atMs + index, { kind: oneOf(random, SIGNAL_KINDS), text: `${name} ${index}` }),
  );
  const frames = [picture, ...signals];
  const bytes = encodeFrames(frames);
  return { format: 'frames', bytes: random() < 0.5 ? new Uint8Array(gzipSync(bytes)) : new Uint8Array(bytes), frames };
}
