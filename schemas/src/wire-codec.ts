import { ByteReader, BytesFault, ByteWriter } from './bytes.ts';
import type { PositionedFrame } from './frame.ts';
import { flagsOf, readFlags, TRACK_CODE, trackOf } from './frame.ts';
import { toOffset } from './ids.ts';
import type { FramesMessage } from './wire.ts';
import { WIRE_VERSION } from './wire.ts';

const TYPE_FRAMES = 1;
/** What a u8 can tell. */
const WINDOW_ID_BYTES_MAX = 255;

/** The bytes drawn at {@link FramesMessage}. */
export function encodeFramesMessage(message: FramesMessage): Uint8Array<ArrayBuffer> {
  const windows = [...new Set(message.frames.map((frame) => frame.windowId))];
  const windowIndex = new Map(windows.map((windowId, index) => [windowId, index]));
  const writer = new ByteWriter(message.frames.reduce((sum, frame) => sum + 32 + frame.payload.length, 64));
  writer.u8(WIRE_VERSION);
  writer.u8(TYPE_FRAMES);
  writer.f64(message.receivedAtMs);
  writer.f64(message.sentAtMs);
  writer.u16(windows.length);
  writer.u32(message.frames.length);
  for (const windowId of windows) {
    const bytes = new TextEncoder().encode(windowId);
    if (bytes.length > WINDOW_ID_BYTES_MAX) throw new RangeError(`a window id of ${bytes.length} bytes`);
    writer.u8(bytes.length);
    writer.raw(bytes);
  }
  for (const frame of message.frames) {
    writer.u64(frame.position.offset);
    writer.u32(frame.position.index);
    writer.u16(windowIndex.get(frame.windowId) ?? 0);
    writer.u8(TRACK_CODE[frame.track]);
    writer.u8(flagsOf(frame));
    writer.f64(frame.timestampMs);
    writer.u32(frame.payload.length);
    writer.raw(frame.payload);
  }
  return writer.bytes();
}

/**
 * The reverse. Payloads are views into `bytes`.
 *
 * @throws {BytesFault} for bytes that `encodeFramesMessage` did not write
 */
export function decodeFramesMessage(bytes: Uint8Array): FramesMessage {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== WIRE_VERSION) throw new BytesFault(`wire version ${version}`, 0);
  const type = reader.u8();
  if (type !== TYPE_FRAMES) throw new BytesFault(`message type ${type}`, 1);
  const receivedAtMs = reader.f64();
  const sentAtMs = reader.f64();
  const windowCount = reader.u16();
  const frameCount = reader.u32();
  const windows: string[] = [];
  for (let i = 0; i < windowCount; i++) windows.push(new TextDecoder().decode(reader.raw(reader.u8())));
  const frames: PositionedFrame[] = [];
  for (let i = 0; i < frameCount; i++) {
    const at = reader.at;
    const offset = toOffset(reader.u64());
    const index = reader.u32();
    const windowId = windows[reader.u16()];
    const track = trackOf(reader.u8());
    const flags = readFlags(reader.u8());
    const timestampMs = reader.f64();
    const payload = reader.raw(reader.u32());
    if (windowId === undefined || track === undefined) throw new BytesFault('a frame names an unknown window or track', at);
    frames.push({ position: { offset, index }, windowId, track, timestampMs, payload, ...flags });
  }
  if (reader.remaining !== 0) throw new BytesFault('bytes behind the last frame', reader.at);
  return { receivedAtMs, sentAtMs, frames };
}
