import { LIMITS } from '../limits.ts';
import type { BodyContext, DecodedBody } from './body.ts';
import { BodyFrames } from './frame-faults.ts';

/**
 * Format `frame-tar`: a ustar archive (POSIX.1-1988, IEEE 1003.1 "pax", section ustar) of pictures whose names hold their time.
 *
 *     repeated, in steps of 512 bytes, until a block of zeros or the end:
 *     ┌────────────────────────── header: 512 bytes ─────────────────────────────────────────┬───────────────┐
 *     │ 0 name[100] │ 124 size[12] octal │ 148 checksum[8] │ 156 type[1] │ 257 "ustar" │ 345 prefix[155] │ size bytes, padded │
 *     └───────────────────────────────────────────────────────────────────────────────────────┴───────────────┘
 *
 * The time is the last run of at least ten digits in the file's name without its extension, else the last run of digits:
 * `1718000000000.jpeg`, `1_1_1718000000000.jpeg` (Unix ms), `000001500.jpeg`. Numbers below 10^10 count from the epoch.
 * Entries that are not regular files (folders, pax headers) are passed over.
 */
const BLOCK = 512;
const ABSOLUTE_MIN = 10 ** 10;

/** Lays pictures out as a `frame-tar` (before compression). `timestampMs`: Unix ms. */
export function encodeFrameTar(frames: readonly { readonly timestampMs: number; readonly jpeg: Uint8Array }[]): Uint8Array<ArrayBuffer> {
  const total = frames.reduce((sum, { jpeg }) => sum + BLOCK + padded(jpeg.length), 2 * BLOCK);
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const { timestampMs, jpeg } of frames) {
    const header = bytes.subarray(at, at + BLOCK);
    writeText(header, 0, `${timestampMs}.jpeg`);
    writeText(header, 100, '0000644\0');
    writeText(header, 108, '0000000\0');
    writeText(header, 116, '0000000\0');
    writeText(header, 124, `${jpeg.length.toString(8).padStart(11, '0')}\0`);
    writeText(header, 136, '00000000000\0');
    writeText(header, 156, '0');
    writeText(header, 257, 'ustar\x0000');
    writeText(header, 148, `${checksumOf(header).toString(8).padStart(6, '0')}\0 `);
    bytes.set(jpeg, at + BLOCK);
    at += BLOCK + padded(jpeg.length);
  }
  return bytes;
}

/** The pictures of a `frame-tar` up to the first fault, in the archive's order. Never throws; payloads are views. */
export function decodeFrameTar(bytes: Uint8Array, context: BodyContext): DecodedBody {
  const frames = new BodyFrames(context);
  let at = 0;
  while (at < bytes.length) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.length < BLOCK) return frames.faulty('truncated_body', at, `${header.length} bytes of a header of ${BLOCK}`);
    if (header.every((byte) => byte === 0)) break;
    if (!isTarHeader(header) || readOctal(header, 148, 8) !== checksumOf(header)) {
      return frames.faulty('invalid_body', at, 'not a tar header, or its checksum is wrong');
    }
    const size = readOctal(header, 124, 12);
    if (size === undefined) return frames.faulty('invalid_body', at, 'the size of a file is not an octal number');
    const begin = at + BLOCK;
    if (isRegularFile(header)) {
      const refused =
        frames.refuseLength(size, bytes.length - begin, at) ?? takeFile(frames, header, bytes.subarray(begin, begin + size), at, context);
      if (refused) return refused;
    } else if (size > bytes.length - begin) {
      return frames.faulty('truncated_body', at, `${size} bytes announced, ${bytes.length - begin} there`);
    }
    at = begin + padded(size);
  }
  return frames.whole();
}

/** True when a tar header could begin here: the magic of ustar, GNU tar included. */
export function isTarHeader(bytes: Uint8Array): boolean {
  return readText(bytes, 257, 5) === 'ustar';
}

function takeFile(frames: BodyFrames, header: Uint8Array, payload: Uint8Array, at: number, context: BodyContext): DecodedBody | undefined {
  const name = readText(header, 0, 100);
  const number = numberInName(name);
  if (number === undefined) return frames.faulty('timestamp_out_of_range', at, `the name ${JSON.stringify(name)} holds no time`);
  if (number < ABSOLUTE_MIN && number > LIMITS.sessionDurationMaxMs) {
    return frames.faulty('timestamp_out_of_range', at, `${number} ms after the epoch, the limit is ${LIMITS.sessionDurationMaxMs}`);
  }
  const timestampMs = number < ABSOLUTE_MIN ? context.epochMs + number : number;
  return frames.take({ track: 'image', keyframe: true, timestampMs, payload }, at);
}

function numberInName(path: string): number | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  const runs = (dot > 0 ? name.slice(0, dot) : name).match(/\d+/g) ?? [];
  const run = runs.findLast((digits) => digits.length >= 10) ?? runs.at(-1);
  return run === undefined ? undefined : Number(run);
}

/** Type `0`, or NUL in archives older than ustar, and `7` (contiguous), which is read as a regular file. */
function isRegularFile(header: Uint8Array): boolean {
  const type = header[156];
  return type === 0x30 || type === 0 || type === 0x37;
}

/** Sum of the header's bytes, with those of the checksum itself read as spaces. */
function checksumOf(header: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i] ?? 0;
  return sum;
}

function readOctal(bytes: Uint8Array, at: number, length: number): number | undefined {
  const text = readText(bytes, at, length).trim();
  return /^[0-7]{1,11}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** ASCII up to the first NUL. */
function readText(bytes: Uint8Array, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return String.fromCharCode(...(end < 0 ? field : field.subarray(0, end)));
}

function writeText(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}
