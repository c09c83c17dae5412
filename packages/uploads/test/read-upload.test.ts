import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Frame, Upload } from '@playhead/schemas';
import {
  decodeBlock,
  encodeBlock,
  encodeFrameBundle,
  encodeFrames,
  FRAME_HEADER_BYTES,
  FRAMES_HEADER_BYTES,
  toOffset,
} from '@playhead/schemas';
import { describe, expect, it } from 'vitest';
import type { ReadableUpload } from '../src/index.ts';
import { compressPiece, decompressPiece, positionFrames, readUploadAsync } from '../src/index.ts';

const NOW_MS = 1_718_000_000_000;
const RECORDING = new URL('../../../../shared/recordings/rrweb-demo-81s.json', import.meta.url);

const FRAMES: readonly Frame[] = Array.from({ length: 40 }, (_, i) => ({
  track: 'dom',
  keyframe: i === 0,
  timestampMs: NOW_MS - 1000 + i,
  payload: new Uint8Array(Buffer.from(JSON.stringify({ type: 3, i, text: String((i * 7919) % 997).repeat(20) }))),
}));

function uploadOf(body: Uint8Array, overrides: Partial<ReadableUpload> = {}): ReadableUpload {
  return { format: 'frames', codec: 'gzip', epochMs: 0, receivedAtMs: NOW_MS, body: new Uint8Array(body), ...overrides };
}

/** How many of FRAMES lie whole within the first `bytes` of the inflated body. */
function wholeWithin(bytes: number): number {
  let end = FRAMES_HEADER_BYTES;
  return FRAMES.filter((frame) => (end += FRAME_HEADER_BYTES + frame.payload.length) <= bytes).length;
}

describe('readUploadAsync', () => {
  it('gives the frames of a gzipped body', async () => {
    expect(await readUploadAsync(uploadOf(gzipSync(encodeFrames(FRAMES))))).toEqual({ frames: FRAMES, fault: null });
  });

  it('gives the pictures of a phone, counted from its epoch', async () => {
    const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);
    const body = gzipSync(encodeFrameBundle([{ offsetMs: 1500, jpeg }]));
    expect(await readUploadAsync(uploadOf(body, { format: 'frame-bundle', epochMs: NOW_MS - 60_000 }))).toEqual({
      frames: [{ track: 'image', keyframe: true, timestampMs: NOW_MS - 58_500, payload: jpeg }],
      fault: null,
    });
  });

  it('cut at any byte: exactly the frames that are whole, and one fault', async () => {
    const body = new Uint8Array(gzipSync(encodeFrames(FRAMES)));
    for (let cut = 0; cut < body.length; cut += cut > body.length - 20 ? 1 : 13) {
      const upload = uploadOf(body.subarray(0, cut));
      const { frames, fault } = await readUploadAsync(upload);
      expect(fault).toMatchObject({ code: 'truncated_body', frameIndex: frames.length });
      expect(frames).toEqual(FRAMES.slice(0, wholeWithin(fault?.byteOffset ?? 0)));
    }
  });

  it('gzip that ends where a frame ends is a fault all the same', async () => {
    const body = gzipSync(encodeFrames(FRAMES));
    const { frames, fault } = await readUploadAsync(uploadOf(body.subarray(0, body.length - 8)));
    expect(frames).toEqual(FRAMES);
    expect(fault).toMatchObject({ code: 'truncated_body', frameIndex: FRAMES.length, byteOffset: encodeFrames(FRAMES).length });
  });

  it('of two faults the earlier one is told', async () => {
    const bad: Frame = { track: 'image', keyframe: true, timestampMs: NOW_MS, payload: new Uint8Array(Buffer.from('GIF89a')) };
    const body = gzipSync(encodeFrames([...FRAMES.slice(0, 3), bad, ...FRAMES]));
    expect(await readUploadAsync(uploadOf(body.subarray(0, body.length - 8)))).toMatchObject({
      frames: FRAMES.slice(0, 3),
      fault: { code: 'frame_not_image', frameIndex: 3 },
    });
  });

  it('a body that is not gzip at all is told as such, not as a short body', async () => {
    expect(await readUploadAsync(uploadOf(Buffer.from('hello')))).toMatchObject({
      frames: [],
      fault: { code: 'corrupt_codec', frameIndex: 0 },
    });
  });

  it('a heartbeat has neither frames nor a fault', async () => {
    expect(await readUploadAsync(uploadOf(gzipSync(encodeFrames([]))))).toEqual({ frames: [], fault: null });
    expect(await readUploadAsync(uploadOf(encodeFrames([]), { codec: 'identity' }))).toEqual({ frames: [], fault: null });
  });
});

describe('positionFrames', () => {
  it('counts the whole frames of an upload from 0', () => {
    const positioned = positionFrames({ windowId: 'w' } satisfies Pick<Upload, 'windowId'>, toOffset(9), FRAMES);
    expect(positioned).toEqual(
      FRAMES.map((frame, index) => Object.assign({ position: { offset: toOffset(9), index }, windowId: 'w' }, frame)),
    );
  });
});

describe('pieces', () => {
  const raw = new Uint8Array(Buffer.from('{"type":3}'.repeat(1000)));

  it('are inflated to what they were', () => {
    const piece = compressPiece(raw);
    expect(piece.length).toBeLessThan(100);
    expect(decompressPiece(piece, raw.length)).toEqual(raw);
    expect(decompressPiece(compressPiece(new Uint8Array()), 0)).toEqual(new Uint8Array());
  });

  it('that hold more than they should are refused, not inflated', () => {
    expect(() => decompressPiece(compressPiece(raw), raw.length - 1)).toThrow(/larger than/);
  });
});

describe.runIf(existsSync(RECORDING))('a real recording (needs ../shared/recordings/rrweb-demo-81s.json)', () => {
  it('goes through an upload and a block without a byte changed', async () => {
    const events = JSON.parse(readFileSync(RECORDING, 'utf8')) as { type: number; timestamp: number }[];
    const sent = events.map(
      (event): Frame => ({
        track: 'dom',
        keyframe: event.type === 2,
        timestampMs: event.timestamp,
        payload: new Uint8Array(Buffer.from(JSON.stringify(event))),
      }),
    );
    const { frames, fault } = await readUploadAsync(uploadOf(gzipSync(encodeFrames(sent))));
    expect(fault).toBeNull();
    const positioned = positionFrames({ windowId: 'w' }, toOffset(0), frames);
    const { bytes } = encodeBlock(positioned, compressPiece);
    expect(decodeBlock(bytes, decompressPiece)).toEqual(positioned);
    expect(bytes.length).toBeLessThan(25_000);
  });
});
