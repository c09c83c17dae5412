import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { imageSize, imageType } from '../src/index.ts';
import { jpegOf, textBytes } from './samples.ts';

const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

/** 1×1 files as encoders write them. */
const PNG = bytesOf('89504e470d0a1a0a 0000000d 49484452 00000140 000000f0 08060000001f15c489');
const WEBP_LOSSY = bytesOf(
  '52494646 24000000 57454250 56503820 18000000 30010 0 9d012a 40 01 f0 00 0000 0000'.replace('30010 0', '300100'),
);
const WEBP_LOSSLESS = bytesOf('52494646 1c000000 57454250 5650384c 0f000000 2f 3fc13b00 0000000000000000');
const WEBP_EXTENDED = bytesOf('52494646 24000000 57454250 56503858 0a000000 10000000 3f0100 ef0000');

describe('imageType', () => {
  it('knows pictures by their magic', () => {
    expect(imageType(jpegOf(1, 1))).toBe('image/jpeg');
    expect(imageType(PNG)).toBe('image/png');
    expect(imageType(WEBP_LOSSY)).toBe('image/webp');
    for (const other of [new Uint8Array(), Uint8Array.of(0xff, 0xd8), textBytes('GIF89a'), textBytes('RIFF____WAVE'), textBytes('<svg>')]) {
      expect(imageType(other)).toBeUndefined();
    }
  });
});

describe('imageSize', () => {
  it.each([
    ['JPEG', jpegOf(320, 240)],
    ['PNG', PNG],
    ['WebP lossy', WEBP_LOSSY],
    ['WebP lossless', WEBP_LOSSLESS],
    ['WebP extended', WEBP_EXTENDED],
  ])('reads %s', (_, bytes) => {
    expect(imageSize(bytes)).toEqual({ width: 320, height: 240 });
  });

  it('finds the size of a progressive JPEG behind tables, fill bytes and Exif', () => {
    const exif = [0xff, 0xe1, 0x01, 0x00, ...Array.from({ length: 254 }, () => 0xc0)];
    const tables = [0xff, 0xc4, 0, 4, 1, 2, 0xff, 0xff, 0xff, 0xdb, 0, 3, 9];
    const sof2 = [0xff, 0xc2, 0, 11, 8, 0, 240, 1, 64, 1, 0x11, 0];
    expect(imageSize(Uint8Array.from([0xff, 0xd8, ...exif, ...tables, ...sof2]))).toEqual({ width: 320, height: 240 });
  });

  it('of a JPEG without a frame header, or of height 0, is not known', () => {
    expect(imageSize(Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 1, 1, 1, 1, 1, 1))).toBeUndefined();
    expect(imageSize(jpegOf(320, 0))).toBeUndefined();
    expect(
      imageSize(
        Uint8Array.from([0xff, 0xd8, ...Array.from({ length: 5000 }, () => [0xff, 0xe0, 0, 2]).flat(), ...jpegOf(1, 1).subarray(2)]),
      ),
    ).toBeUndefined();
  });

  it('never throws: cut files and any bytes behind a magic', () => {
    const magics = [
      jpegOf(1, 1).subarray(0, 3),
      PNG.subarray(0, 16),
      ...['VP8 ', 'VP8L', 'VP8X'].map((kind) => textBytes(`RIFF____WEBP${kind}`)),
    ];
    for (const file of [jpegOf(9, 9), PNG, WEBP_LOSSY, WEBP_LOSSLESS, WEBP_EXTENDED]) {
      for (let cut = 0; cut < file.length; cut++) imageSize(file.subarray(0, cut));
    }
    fc.assert(
      fc.property(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 60 }), (magic, tail) => {
        const size = imageSize(Uint8Array.from([...magic, ...tail]));
        expect(Math.min(size?.width ?? 1, size?.height ?? 1)).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });
});
