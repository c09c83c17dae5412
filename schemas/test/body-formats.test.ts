import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BodyFormat, ErrorCode, Frame } from '../src/index.ts';
import {
  BODY_FORMATS,
  decodeBody,
  encodeFrameBundle,
  encodeFrameBundleLe,
  encodeFrames,
  encodeFrameTar,
  FRAME_HEADER_BYTES,
  FRAMES_HEADER_BYTES,
  isGzip,
  LIMITS,
  sniffFormat,
  TRACKS,
} from '../src/index.ts';
import { CONTEXT, FRAMES, frameOf, jpegOf, NOW_MS, textBytes } from './samples.ts';

const GOOD = frameOf('dom', NOW_MS, '{"type":3}');

const anyText = fc.string({ maxLength: 40 }).map((text) => textBytes(JSON.stringify({ text })));
const anyPicture = fc
  .tuple(fc.nat(4000), fc.nat(4000), fc.string({ maxLength: 40 }))
  .map(([width, height, tail]) => jpegOf(width, height, tail));
const anyTime = fc.integer({ min: LIMITS.timestampMinMs, max: NOW_MS + LIMITS.timestampAheadMaxMs });
const anyFrame: fc.Arbitrary<Frame> = fc.constantFrom(...TRACKS).chain((track) =>
  fc.record({
    track: fc.constant(track),
    keyframe: track === 'image' ? fc.constant(true) : fc.boolean(),
    timestampMs: anyTime,
    payload: track === 'image' ? anyPicture : anyText,
  }),
);
const anyPictures = fc.array(fc.record({ timestampMs: fc.integer({ min: CONTEXT.epochMs, max: NOW_MS }), jpeg: anyPicture }), {
  minLength: 1,
  maxLength: 6,
});

/** Each picture format: its encoder, and the place in its bytes where each frame ends. */
const PICTURE_FORMATS: readonly [
  BodyFormat,
  (pictures: { timestampMs: number; jpeg: Uint8Array }[]) => Uint8Array,
  (length: number) => number,
][] = [
  [
    'frame-bundle',
    (all) => encodeFrameBundle(all.map(({ timestampMs, jpeg }) => ({ offsetMs: timestampMs - CONTEXT.epochMs, jpeg }))),
    (n) => 12 + n,
  ],
  ['frame-bundle-le', encodeFrameBundleLe, (length) => 12 + length],
  ['frame-tar', encodeFrameTar, (length) => 512 + Math.ceil(length / 512) * 512],
];

function tarOf(name: string, edit?: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = encodeFrameTar([{ timestampMs: NOW_MS, jpeg: jpegOf(2, 2) }]);
  bytes.fill(0, 0, 100);
  bytes.set(textBytes(name), 0);
  edit?.(bytes);
  bytes.fill(0x20, 148, 156);
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.set(textBytes(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  return bytes;
}

describe('round trips', () => {
  it('native frames come back as they were', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), (frames) => {
        const bytes = encodeFrames(frames);
        expect(sniffFormat(bytes)).toBe('frames');
        expect(decodeBody('frames', bytes, CONTEXT)).toEqual({ frames, fault: null });
      }),
    );
  });

  it.each(PICTURE_FORMATS)('%s: pictures come back as they were, and the format is recognised', (format, encode) => {
    fc.assert(
      fc.property(anyPictures, (pictures) => {
        const bytes = encode(pictures);
        const frames = pictures.map(({ timestampMs, jpeg }) => frameOf('image', timestampMs, jpeg));
        expect(sniffFormat(bytes)).toBe(format);
        expect(decodeBody(format, bytes, CONTEXT)).toEqual({ frames, fault: null });
      }),
    );
  });

  it('payloads are views into the body', () => {
    const bytes = encodeFrames(FRAMES);
    for (const frame of decodeBody('frames', bytes, CONTEXT).frames) expect(frame.payload.buffer).toBe(bytes.buffer);
  });

  it('a native body without frames is a heartbeat: no frames, no fault', () => {
    expect(decodeBody('frames', encodeFrames([]), CONTEXT)).toEqual({ frames: [], fault: null });
  });

  it('a picture is a keyframe, whatever its flags say', () => {
    const body = encodeFrames([{ ...frameOf('image', NOW_MS, jpegOf(1, 1)), keyframe: false }]);
    expect(decodeBody('frames', body, CONTEXT).frames[0]?.keyframe).toBe(true);
  });

  it('PNG and WebP are pictures too', () => {
    const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const webp = textBytes('RIFF____WEBPVP8 ');
    const body = encodeFrames([frameOf('image', NOW_MS, png), frameOf('image', NOW_MS, webp)]);
    expect(decodeBody('frames', body, CONTEXT).fault).toBeNull();
  });
});

describe('truncation', () => {
  it('at any byte keeps exactly the whole frames before it: native', () => {
    const bytes = encodeFrames(FRAMES);
    const ends: number[] = [];
    FRAMES.reduce((at, frame) => (ends.push(at + FRAME_HEADER_BYTES + frame.payload.length), ends.at(-1) ?? 0), FRAMES_HEADER_BYTES);
    for (let cut = 0; cut < bytes.length; cut++) {
      const { frames, fault } = decodeBody('frames', bytes.subarray(0, cut), CONTEXT);
      const whole = ends.filter((end) => end <= cut).length;
      expect(frames).toEqual(FRAMES.slice(0, whole));
      const byteOffset = whole > 0 ? ends[whole - 1] : cut < FRAMES_HEADER_BYTES ? 0 : FRAMES_HEADER_BYTES;
      const atEnd = cut === FRAMES_HEADER_BYTES || ends.includes(cut);
      const truncated = expect.objectContaining({ code: 'truncated_body', frameIndex: whole, byteOffset });
      expect(fault).toEqual(atEnd ? null : truncated);
    }
  });

  it.each(PICTURE_FORMATS)('at any byte keeps exactly the whole frames before it: %s', (format, encode, framedBytes) => {
    const pictures = [jpegOf(1, 2), jpegOf(3, 4, 'longer'), jpegOf(5, 6)].map((jpeg, i) => ({ timestampMs: NOW_MS - 100 + i, jpeg }));
    const bytes = encode(pictures);
    const begins = [0];
    for (const { jpeg } of pictures) begins.push((begins.at(-1) ?? 0) + framedBytes(jpeg.length));
    for (let cut = 0; cut <= (begins.at(-1) ?? 0); cut++) {
      const { frames, fault } = decodeBody(format, bytes.subarray(0, cut), CONTEXT);
      // In a tar a picture is whole before its padding is.
      const whole = pictures.filter(({ jpeg }, i) => (begins[i] ?? 0) + (format === 'frame-tar' ? 512 : 12) + jpeg.length <= cut).length;
      expect(frames.map((frame) => frame.payload)).toEqual(pictures.slice(0, whole).map(({ jpeg }) => jpeg));
      const atEnd = whole > 0 && cut <= (begins[whole] ?? 0);
      const truncated = expect.objectContaining({ code: 'truncated_body', frameIndex: whole, byteOffset: begins[whole] });
      expect(fault).toEqual(cut === 0 || atEnd ? null : truncated);
    }
  });
});

describe('faults', () => {
  const secondFrame: readonly [string, ErrorCode, Frame][] = [
    ['a frame without bytes', 'frame_empty', frameOf('dom', NOW_MS, '')],
    ['a picture that is none', 'frame_not_image', frameOf('image', NOW_MS, 'GIF89a')],
    ['text that is not JSON', 'frame_not_json', frameOf('signal', NOW_MS, 'click')],
    ['JSON that is cut off', 'frame_not_json', frameOf('dom', NOW_MS, '{"type":3')],
    ['JSON with brackets that do not match', 'frame_not_json', frameOf('dom', NOW_MS, '{"type":3]')],
    ['a JSON scalar', 'frame_not_json', frameOf('hierarchy', NOW_MS, '7')],
    ['seconds instead of ms', 'timestamp_out_of_range', frameOf('dom', Math.floor(NOW_MS / 1000), '{}')],
    ['a part of a signal', 'frame_part_invalid', { ...frameOf('signal', NOW_MS, '{}'), part: { number: 0, continues: true } }],
    [
      'a keyframe that is a later part',
      'frame_part_invalid',
      { ...frameOf('dom', NOW_MS, '{}', true), part: { number: 1, continues: true } },
    ],
    [
      'a first part that does not begin JSON',
      'frame_not_json',
      { ...frameOf('dom', NOW_MS, '"type":3}'), part: { number: 0, continues: true } },
    ],
    [
      'a last part that does not end JSON',
      'frame_not_json',
      { ...frameOf('dom', NOW_MS, '{"type":3'), part: { number: 2, continues: false } },
    ],
    ['time 0', 'timestamp_out_of_range', frameOf('dom', 0, '{}')],
    ['the far future', 'timestamp_out_of_range', frameOf('dom', NOW_MS + LIMITS.timestampAheadMaxMs + 1, '{}')],
    ['microseconds', 'timestamp_out_of_range', frameOf('dom', NOW_MS * 1000, '{}')],
  ];

  it.each(secondFrame)('%s: %s, and the frame before it stays', (_, code, frame) => {
    const { frames, fault } = decodeBody('frames', encodeFrames([GOOD, frame, GOOD]), CONTEXT);
    expect(frames).toEqual([GOOD]);
    expect(fault).toMatchObject({ code, frameIndex: 1, byteOffset: FRAMES_HEADER_BYTES + FRAME_HEADER_BYTES + GOOD.payload.length });
    expect(fault?.message).toMatch(/frame 1 at byte 28: /);
  });

  it('an unknown track: frame_track_unknown', () => {
    const body = encodeFrames([GOOD]);
    body[FRAMES_HEADER_BYTES] = 9;
    expect(decodeBody('frames', body, CONTEXT)).toMatchObject({
      frames: [],
      fault: { code: 'frame_track_unknown', frameIndex: 0, byteOffset: 4 },
    });
  });

  it('a length beyond the limit: frame_too_large, also where the bytes are missing', () => {
    const body = encodeFrames([GOOD]);
    new DataView(body.buffer).setUint32(FRAMES_HEADER_BYTES + 10, LIMITS.frameBytesMax + 1);
    expect(decodeBody('frames', body, CONTEXT).fault?.code).toBe('frame_too_large');
  });

  it('a length past the end: truncated_body', () => {
    const body = encodeFrames([GOOD]);
    new DataView(body.buffer).setUint32(FRAMES_HEADER_BYTES + 10, GOOD.payload.length + 1);
    expect(decodeBody('frames', body, CONTEXT).fault?.code).toBe('truncated_body');
  });

  it('frames beyond the limit: too_many_frames, the others stay', () => {
    const tiny = frameOf('dom', NOW_MS, '{}');
    const body = encodeFrames(Array.from({ length: LIMITS.uploadFramesMax + 1 }, () => tiny));
    const { frames, fault } = decodeBody('frames', body, CONTEXT);
    expect(frames).toHaveLength(LIMITS.uploadFramesMax);
    expect(fault).toMatchObject({ code: 'too_many_frames', frameIndex: LIMITS.uploadFramesMax });
  });

  it('another magic or version: invalid_body, and it is not sniffed as ours', () => {
    for (const bytes of [textBytes('PHX\x01'), textBytes('PHF\x02'), textBytes('GET / HTTP/1.1')]) {
      expect(decodeBody('frames', bytes, CONTEXT)).toMatchObject({ frames: [], fault: { code: 'invalid_body', byteOffset: 0 } });
      expect(sniffFormat(bytes)).toBeUndefined();
    }
  });

  it('a bundle whose offset passes a session: timestamp_out_of_range', () => {
    const at = (offsetMs: number) =>
      decodeBody('frame-bundle', encodeFrameBundle([{ offsetMs, jpeg: jpegOf(1, 1) }]), { epochMs: 1.6e12, receivedAtMs: NOW_MS });
    expect(at(LIMITS.sessionDurationMaxMs).fault).toBeNull();
    expect(at(LIMITS.sessionDurationMaxMs + 1).fault?.code).toBe('timestamp_out_of_range');
    expect(at(NOW_MS).fault?.code).toBe('timestamp_out_of_range');
  });

  it('a bundle without an epoch: timestamp_out_of_range', () => {
    const body = encodeFrameBundle([{ offsetMs: 5, jpeg: jpegOf(1, 1) }]);
    expect(decodeBody('frame-bundle', body, { epochMs: 0, receivedAtMs: NOW_MS }).fault?.code).toBe('timestamp_out_of_range');
  });

  it('a little-endian bundle in seconds: timestamp_out_of_range', () => {
    const body = encodeFrameBundleLe([{ timestampMs: Math.floor(NOW_MS / 1000), jpeg: jpegOf(1, 1) }]);
    expect(decodeBody('frame-bundle-le', body, CONTEXT).fault?.code).toBe('timestamp_out_of_range');
  });

  it('a bundle in the other byte order is told apart, and read as the wrong one it is a fault', () => {
    const body = encodeFrameBundle([{ offsetMs: 5, jpeg: jpegOf(1, 1) }]);
    expect(sniffFormat(body)).toBe('frame-bundle');
    expect(decodeBody('frame-bundle-le', body, CONTEXT)).toMatchObject({ frames: [], fault: { frameIndex: 0 } });
  });

  it('a bundle cut in its first picture is still recognised', () => {
    const jpeg = jpegOf(1, 1);
    expect(sniffFormat(encodeFrameBundle([{ offsetMs: 5, jpeg }]).subarray(0, 20))).toBe('frame-bundle');
    expect(sniffFormat(encodeFrameBundleLe([{ timestampMs: NOW_MS, jpeg }]).subarray(0, 20))).toBe('frame-bundle-le');
  });
});

describe('frame-tar', () => {
  it.each([
    [`${NOW_MS}.jpeg`, NOW_MS],
    [`1_1_${NOW_MS}.jpeg`, NOW_MS],
    [`${NOW_MS}_1_2.jpeg`, NOW_MS],
    [`shots/2024/${NOW_MS}.jpg`, NOW_MS],
    ['0000001500.jpeg', CONTEXT.epochMs + 1500],
    ['1500.jpeg', CONTEXT.epochMs + 1500],
    ['frame-7.jp2', CONTEXT.epochMs + 7],
  ])('%s is at %d', (name, timestampMs) => {
    expect(decodeBody('frame-tar', tarOf(name), CONTEXT)).toMatchObject({ frames: [{ timestampMs, keyframe: true }], fault: null });
  });

  it.each([['cover.jpeg'], ['1718000000.jpeg'], ['99999999999999999999.jpeg']])('%s has no possible time', (name) => {
    expect(decodeBody('frame-tar', tarOf(name), CONTEXT)).toMatchObject({ frames: [], fault: { code: 'timestamp_out_of_range' } });
  });

  it('folders and pax headers are passed over', () => {
    for (const type of '5xgL') {
      const other = tarOf('other', (bytes) => (bytes[156] = type.charCodeAt(0))).subarray(0, 1024);
      const body = Uint8Array.from([...other, ...tarOf(`${NOW_MS}.jpeg`)]);
      expect(decodeBody('frame-tar', body, CONTEXT)).toMatchObject({ frames: [{ timestampMs: NOW_MS }], fault: null });
    }
  });

  it('a damaged header is a fault behind the pictures before it', () => {
    const body = Uint8Array.from([...tarOf(`${NOW_MS}.jpeg`).subarray(0, 1024), ...tarOf(`${NOW_MS}.jpeg`)]);
    body[1024] = 0x39;
    expect(decodeBody('frame-tar', body, CONTEXT)).toMatchObject({
      frames: [{}],
      fault: { code: 'invalid_body', byteOffset: 1024, frameIndex: 1 },
    });
  });

  it('a size that is no octal number is a fault', () => {
    const body = tarOf(`${NOW_MS}.jpeg`, (bytes) => bytes.set(textBytes('9999'), 124));
    expect(decodeBody('frame-tar', body, CONTEXT).fault?.code).toBe('invalid_body');
  });
});

describe('foreign bytes', () => {
  it('never make a decoder throw, and what it keeps lies before the fault', () => {
    fc.assert(
      fc.property(fc.constantFrom(...BODY_FORMATS), fc.uint8Array({ maxLength: 700 }), (format, bytes) => {
        sniffFormat(bytes);
        isGzip(bytes);
        const { frames, fault } = decodeBody(format, bytes, CONTEXT);
        expect(fault?.frameIndex ?? frames.length).toBe(frames.length);
        expect(fault?.byteOffset ?? 0).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 500 },
    );
  });

  it('one damaged byte never costs the frames before it', () => {
    const encoded: readonly [BodyFormat, Uint8Array][] = [
      ['frames', encodeFrames(FRAMES)],
      ...PICTURE_FORMATS.map(
        ([format, encode]) =>
          [format, encode([1, 2, 3].map((i) => ({ timestampMs: NOW_MS - i, jpeg: jpegOf(i, i) })))] as [BodyFormat, Uint8Array],
      ),
    ];
    for (const [format, bytes] of encoded) {
      const intact = decodeBody(format, bytes, CONTEXT).frames;
      for (let at = 0; at < bytes.length; at += 3) {
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] ?? 0) ^ 0xff;
        const { frames } = decodeBody(format, damaged, CONTEXT);
        const before = intact.filter((frame) => frame.payload.byteOffset + frame.payload.length <= at).length;
        expect(frames.slice(0, before).map((frame) => frame.payload)).toEqual(intact.slice(0, before).map((frame) => frame.payload));
      }
    }
  });

  it('gzip is known by its first three bytes', () => {
    expect(isGzip(Uint8Array.of(0x1f, 0x8b, 8))).toBe(true);
    expect(isGzip(Uint8Array.of(0x1f, 0x8b))).toBe(false);
    expect(isGzip(encodeFrames([]))).toBe(false);
  });
});
