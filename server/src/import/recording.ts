import type { Frame, Signal } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';

/** What of an rrweb event matters here. */
interface RecordedEvent {
  readonly type: number;
  readonly timestamp: number;
  readonly data: unknown;
}

/** rrweb's EventType, IncrementalSource and MouseInteractions. */
const FULL_SNAPSHOT = 2;
const INCREMENTAL = 3;
const META = 4;
const MOUSE_INTERACTION = 2;
const CLICK = 2;

/** The file is not a recording: says where and why. */
export class RecordingFault extends Error {
  override readonly name = 'RecordingFault';
}

/**
 * Reads a recording: a JSON array of rrweb events, or one event a line. Events are put in order of time (stable).
 *
 * @throws {RecordingFault}
 */
export function parseRecording(text: string): RecordedEvent[] {
  const trimmed = text.trimStart();
  const values: unknown[] = trimmed.startsWith('[') ? parseArray(trimmed) : parseLines(text);
  if (values.length === 0) throw new RecordingFault('the file holds no event');
  const events = values.map(asEvent);
  if (!events.some((event) => event.type === FULL_SNAPSHOT))
    throw new RecordingFault('the recording has no full snapshot, so nothing can be drawn');
  return events.toSorted((a, b) => a.timestamp - b.timestamp);
}

function parseArray(text: string): unknown[] {
  try {
    return JSON.parse(text) as unknown[];
  } catch (error) {
    throw new RecordingFault(`the file is not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function parseLines(text: string): unknown[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch (error) {
      throw new RecordingFault(`line ${index + 1} is not JSON`, { cause: error });
    }
  });
}

function asEvent(value: unknown, index: number): RecordedEvent {
  if (typeof value === 'object' && value !== null && 'type' in value && 'timestamp' in value && 'data' in value) {
    const { type, timestamp, data } = value;
    if (typeof type === 'number' && typeof timestamp === 'number') return { ...value, type, timestamp, data };
  }
  throw new RecordingFault(`event ${index} is not an rrweb event: it needs a type, a timestamp and data`);
}

/**
 * Events as frames. A Meta event and the full snapshot right behind it become one keyframe; a full snapshot without one is a
 * keyframe by itself. Clicks and new addresses also become signals, as our own recorder would have sent them.
 *
 * @throws {RecordingFault} for an event that cannot be written as JSON again
 */
export function framesOfEvents(events: readonly RecordedEvent[]): Frame[] {
  const frames: Frame[] = [];
  let href: string | undefined;
  for (let index = 0; index < events.length; index++) {
    const event = events[index];
    const following = events[index + 1];
    if (event === undefined) break;
    if (event.type === META && following?.type === FULL_SNAPSHOT) {
      frames.push(frameOf('dom', event.timestamp, true, [event, following]));
      index++;
    } else {
      const keyframe = event.type === FULL_SNAPSHOT;
      frames.push(frameOf('dom', event.timestamp, keyframe, keyframe ? [event] : event));
    }
    const signal = signalOf(event);
    if (signal === undefined || (signal.kind === 'navigation' && signal.url === href)) continue;
    if (signal.kind === 'navigation') href = signal.url;
    frames.push(frameOf('signal', event.timestamp, false, signal));
  }
  return frames;
}

function frameOf(track: 'dom' | 'signal', timestampMs: number, keyframe: boolean, value: unknown): Frame {
  return { track, keyframe, timestampMs, payload: new TextEncoder().encode(jsonOf(value, timestampMs)) };
}

function jsonOf(value: unknown, timestampMs: number): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // JSON is read at any depth, and written as deep as the stack is.
    throw new RecordingFault(`the event at ${timestampMs} is nested too deeply`, { cause: error });
  }
}

function signalOf(event: RecordedEvent): Signal | undefined {
  if (typeof event.data !== 'object' || event.data === null) return undefined;
  const data = event.data as {
    readonly href?: unknown;
    readonly source?: unknown;
    readonly type?: unknown;
    readonly x?: unknown;
    readonly y?: unknown;
  };
  if (event.type === META && typeof data.href === 'string')
    return { kind: 'navigation', url: data.href.slice(0, LIMITS.signalTextCharsMax) };
  if (event.type !== INCREMENTAL || data.source !== MOUSE_INTERACTION || data.type !== CLICK) return undefined;
  const place = typeof data.x === 'number' && typeof data.y === 'number' ? { x: data.x, y: data.y } : {};
  return { kind: 'click', ...place };
}
