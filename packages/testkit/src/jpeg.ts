/**
 * Real JPEGs without a library: one grey, one comment.
 *
 *     SOI │ COM* (comment, padding) │ DQT │ SOF0 (8 bit, 1 component) │ DHT DC │ DHT AC │ SOS │ scan │ EOI
 *
 * The quantiser is 8 for the constant term, so that its value is directly the grey's distance from 128. The first 8×8
 * block codes that distance; every block after it codes "no difference, end of block" in five zero bits.
 */
export interface JpegOptions {
  /** px. Default 16. */
  readonly width?: number;
  readonly height?: number;
  /** 0 (black) .. 255 (white). Default 128. */
  readonly shade?: number;
  /** Goes into the file as a comment, so that equal pictures have different bytes. */
  readonly comment?: string;
  /** Grows the file to at least this many bytes. */
  readonly bytesMin?: number;
}

/** A JPEG that any decoder draws. A number stands for a picture that differs, in shade and bytes, from that of every other number. */
export function jpegOf(options: JpegOptions | number = {}): Uint8Array<ArrayBuffer> {
  const {
    width = 16,
    height = 16,
    shade = 128,
    comment = '',
    bytesMin = 0,
  } = typeof options === 'number' ? { shade: (options * 37) % 256, comment: `picture ${options}` } : options;
  const head = [SOI, ...(comment === '' ? [] : [segment(0xfe, new TextEncoder().encode(comment))])];
  const tail = [DQT, frameHeader(width, height), DHT_DC, DHT_AC, SOS, scan(width, height, shade), EOI];
  let missing = bytesMin - size(head) - size(tail);
  while (missing > 0) {
    const padding = segment(0xfe, new Uint8Array(Math.min(Math.max(missing - 4, 0), 65_533)).fill(0x20));
    head.push(padding);
    missing -= padding.length;
  }
  return joined([...head, ...tail]);
}

const SOI = Uint8Array.of(0xff, 0xd8);
const EOI = Uint8Array.of(0xff, 0xd9);
const DQT = segment(0xdb, new Uint8Array(65).fill(8, 1));
/** Categories 0 to 8, each with a code of four bits equal to its number. */
const DHT_DC = segment(0xc4, Uint8Array.of(0x00, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8));
/** "End of block" only, as the one bit 0. */
const DHT_AC = segment(0xc4, Uint8Array.of(0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
const SOS = segment(0xda, Uint8Array.of(1, 1, 0x00, 0, 63, 0));

function frameHeader(width: number, height: number): Uint8Array {
  return segment(0xc0, Uint8Array.of(8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0));
}

function scan(width: number, height: number, shade: number): Uint8Array {
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  const difference = shade - 128;
  const category = difference === 0 ? 0 : Math.floor(Math.log2(Math.abs(difference))) + 1;
  const magnitude = difference >= 0 ? difference : difference + 2 ** category - 1;
  const first = category.toString(2).padStart(4, '0') + (category === 0 ? '' : magnitude.toString(2).padStart(category, '0')) + '0';
  const bits = first.length + (blocks - 1) * 5;
  const bytes = new Uint8Array(Math.ceil(bits / 8));
  for (let i = 0; i < first.length; i++) if (first[i] === '1') bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (0x80 >> (i & 7));
  for (let i = bits; i < bytes.length * 8; i++) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (0x80 >> (i & 7));
  // A byte 255 inside a scan is followed by a zero.
  return Uint8Array.from([...bytes].flatMap((byte) => (byte === 0xff ? [0xff, 0] : [byte])));
}

function segment(marker: number, content: Uint8Array): Uint8Array {
  const length = content.length + 2;
  return joined([Uint8Array.of(0xff, marker, length >> 8, length & 255), content]);
}

function size(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
