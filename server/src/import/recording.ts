import type { Frame } from '@playhead/schemas';

/** What of an rrweb event matters here: `type` 2 is a full snapshot, 4 is Meta (rrweb's EventType). */
interface RecordedEvent {
  readonly type: number;
  readonly timestamp: number;
  readonly data: unknown;
}

const FULL_SNAPSHOT = 2;
const META = 4;

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
  if (!events.some((event) => event.type === FULL_SNAPSHOT)) throw new RecordingFault('the recording has no full snapshot, so nothing can be drawn');
  return events.sort((a, b) => a.timestamp - b.timestamp);
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
 * Events as DOM frames: a Meta event and the full snapshot right behind it become one keyframe; a full snapshot without one is
 * a keyframe by itself.
 */
export function framesOfEvents(events: readonly RecordedEvent[]): Frame[] {
  const encoder = new TextEncoder();
  const frames: Frame[] = [];
  const add = (event: RecordedEvent, keyframe: boolean, value: unknown): void => {
    frames.push({ track: 'dom', keyframe, timestampMs: event.timestamp, payload: encoder.encode(JSON.stringify(value)) });
  };
  for (let index = 0; index < events.length; index++) {
    const event = events[index];
    const following = events[index + 1];
    if (event === undefined) break;
    if (event.type === META && following?.type === FULL_SNAPSHOT) {
      add(event, true, [event, following]);
      index++;
    } else {
      add(event, event.type === FULL_SNAPSHOT, event.type === FULL_SNAPSHOT ? [event] : event);
    }
  }
  return frames;
}
