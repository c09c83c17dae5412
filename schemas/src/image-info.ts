/** What can be told of a picture from its first bytes. Nothing here throws or reads far. */
export type ImageType = 'image/jpeg' | 'image/png' | 'image/webp';

/** Width and height in px, both at least 1. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** A JPEG's size comes behind its metadata; a picture with more segments than this before it is left without a size. */
const JPEG_SEGMENTS_MAX = 256;

/** The type of a picture by its magic; undefined for anything else. */
export function imageType(bytes: Uint8Array): ImageType | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'image/jpeg';
  if (startsWith(bytes, 0, '\x89PNG\r\n\x1a\n')) return 'image/png';
  if (startsWith(bytes, 0, 'RIFF') && startsWith(bytes, 8, 'WEBP')) return 'image/webp';
  return undefined;
}

/** The size that a picture's header tells; undefined when it is not a picture or its header is not understood. */
export function imageSize(bytes: Uint8Array): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = readSize(bytes, view);
  return size && size.width > 0 && size.height > 0 ? size : undefined;
}

function readSize(bytes: Uint8Array, view: DataView): ImageSize | undefined {
  const type = imageType(bytes);
  if (type === 'image/jpeg') return jpegSize(view);
  if (type === 'image/png') return pngSize(bytes, view);
  if (type === 'image/webp') return webpSize(bytes, view);
  return undefined;
}

/** Walks the segments to the start of frame: `FF Cn, u16 length, u8 precision, u16 height, u16 width`. */
function jpegSize(view: DataView): ImageSize | undefined {
  let at = 2;
  for (let segments = 0; segments < JPEG_SEGMENTS_MAX; segments++) {
    // Any number of fill bytes FF may precede a marker.
    while (at < view.byteLength - 1 && view.getUint8(at) === 0xff && view.getUint8(at + 1) === 0xff) at++;
    if (at + 9 > view.byteLength || view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (isStartOfFrame(marker)) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    // Behind SOS or EOI there is no header any more.
    if (marker === 0xda || marker === 0xd9) return undefined;
    const standsAlone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    at += 2 + (standsAlone ? 0 : view.getUint16(at + 2));
  }
  return undefined;
}

/** SOF0 .. SOF15, without DHT (C4), JPG (C8) and DAC (CC), which share the range. */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function pngSize(bytes: Uint8Array, view: DataView): ImageSize | undefined {
  if (bytes.length < 24 || !startsWith(bytes, 12, 'IHDR')) return undefined;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function webpSize(bytes: Uint8Array, view: DataView): ImageSize | undefined {
  if (bytes.length < 30) return undefined;
  if (startsWith(bytes, 12, 'VP8X')) return { width: 1 + u24le(view, 24), height: 1 + u24le(view, 27) };
  if (startsWith(bytes, 12, 'VP8L')) {
    if (view.getUint8(20) !== 0x2f) return undefined;
    const bits = view.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  if (startsWith(bytes, 12, 'VP8 ')) {
    if (!startsWith(bytes, 23, '\x9d\x01\x2a')) return undefined;
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  return undefined;
}

function u24le(view: DataView, at: number): number {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
}

/** `text` stands for bytes: one per character. */
function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  if (at + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
