import { imageType } from '../image-info.ts';
import { LIMITS } from '../limits.ts';
import type { BodyFormat } from '../records/types.ts';
import type { BodyContext, DecodedBody } from './body.ts';
import { BUNDLE_HEADER_BYTES, decodeFrameBundle, decodeFrameBundleLe, readU64 } from './frame-bundle.ts';
import { BodyFrames } from './frame-faults.ts';
import { decodeFrameTar, isTarHeader } from './frame-tar.ts';
import { decodeFrames, FRAMES_MAGIC } from './frames.ts';

/**
 * Reads a body that was inflated already. Never throws and salvages: the whole frames before the first fault are kept,
 * the fault says what is wrong and where. Payloads are views into `inflated`. An empty native body is a heartbeat.
 */
export function decodeBody(format: BodyFormat, inflated: Uint8Array, context: BodyContext): DecodedBody {
  switch (format) {
    case 'frames':
      return decodeFrames(inflated, context);
    case 'frame-bundle':
      return decodeFrameBundle(inflated, context);
    case 'frame-bundle-le':
      return decodeFrameBundleLe(inflated, context);
    case 'frame-tar':
      return decodeFrameTar(inflated, context);
    default:
      return new BodyFrames(context).faulty('invalid_body', 0, `unknown format ${JSON.stringify(format)}`);
  }
}

/** True when the bytes begin as gzip does (RFC 1952 section 2.3.1: ID1, ID2, deflate). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

/**
 * The format of an inflated body, by what it begins with; undefined when it is none of ours. File names are not asked:
 * phones call a gzipped bundle `.tar.gz`.
 *
 * The bundles have no magic: one is known by the picture behind its first header, and its byte order by which reading of
 * the header is possible: first the length, then the time.
 */
export function sniffFormat(inflated: Uint8Array): BodyFormat | undefined {
  if (FRAMES_MAGIC.every((byte, i) => inflated[i] === byte)) return 'frames';
  if (isTarHeader(inflated)) return 'frame-tar';
  if (imageType(inflated.subarray(BUNDLE_HEADER_BYTES)) === undefined) return undefined;
  const view = new DataView(inflated.buffer, inflated.byteOffset, inflated.byteLength);
  const available = inflated.length - BUNDLE_HEADER_BYTES;
  const fits = view.getUint32(8) <= available;
  const fitsLe = view.getUint32(8, true) <= available;
  if (fits !== fitsLe) return fits ? 'frame-bundle' : 'frame-bundle-le';
  // An offset from an epoch is small, so that read in little-endian it is a number of millennia.
  return readU64(view, 0, false) <= LIMITS.sessionDurationMaxMs ? 'frame-bundle' : 'frame-bundle-le';
}
