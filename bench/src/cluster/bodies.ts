import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { payloadHash } from '@playhead/e2e/viewer-client';
import { encodeFrameBundle } from '@playhead/schemas';

/** What a phone sends at once: gzip of three pictures that were taken a second apart. */
export interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Hash of its last picture: whoever has seen that one has seen all. */
  readonly lastPicture: string;
}

export const PICTURES = 3;
const SEGMENT_BYTES_MAX = 60_000;

/** Prepares bodies of about `bytes`, all different. */
export function makeBodies(count: number, bytes: number): readonly Body[] {
  return Array.from({ length: count }, () => {
    const pictures = Array.from({ length: PICTURES }, () => picture(Math.floor(bytes / PICTURES)));
    const frames = pictures.map((jpeg, at) => ({ offsetMs: at * 1000, jpeg }));
    return {
      bytes: new Uint8Array(gzipSync(encodeFrameBundle(frames), { level: 1 })),
      lastPicture: payloadHash(pictures.at(-1) ?? new Uint8Array()),
    };
  });
}

/** A picture as far as anything but a screen looks into it: a JPEG's header, and bytes that nothing compresses. */
function picture(bytes: number): Buffer {
  const parts: Uint8Array[] = [Uint8Array.of(0xff, 0xd8)];
  for (let left = bytes; left > 0; left -= SEGMENT_BYTES_MAX) parts.push(comment(Math.min(left, SEGMENT_BYTES_MAX)));
  parts.push(Uint8Array.of(0xff, 0xc0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0), Uint8Array.of(0xff, 0xd9));
  return Buffer.concat(parts);
}

function comment(bytes: number): Buffer {
  const length = bytes + 2;
  return Buffer.concat([Uint8Array.of(0xff, 0xfe, length >> 8, length & 255), randomBytes(bytes)]);
}
