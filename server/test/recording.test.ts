import { describe, expect, test } from 'vitest';
import { RecordingFault, framesOfEvents, parseRecording } from '../src/import/recording.ts';

const META = { type: 4, timestamp: 1000, data: { href: 'https://shop.example/', width: 800, height: 600 } };
const FULL = { type: 2, timestamp: 1001, data: { node: {}, initialOffset: { top: 0, left: 0 } } };
const MOVE = { type: 3, timestamp: 1500, data: { source: 1 } };
const text = (payload: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(payload));

describe('an rrweb recording', () => {
  test('is an array of events, or one event a line', () => {
    const events = [META, FULL, MOVE];
    expect(parseRecording(JSON.stringify(events))).toEqual(events);
    expect(parseRecording(`${events.map((event) => JSON.stringify(event)).join('\n')}\n\n`)).toEqual(events);
  });

  test('is put in order of time', () => {
    expect(parseRecording(JSON.stringify([MOVE, META, FULL]))).toEqual([META, FULL, MOVE]);
  });

  test.each([
    ['nothing', '', /no event/],
    ['half an array', '[{"type":4', /not JSON/],
    ['a bad line', `${JSON.stringify(FULL)}\n{oops`, /line 2 is not JSON/],
    ['something else', '[{"hello":1}]', /event 0 is not an rrweb event/],
    ['no full snapshot', JSON.stringify([META, MOVE]), /no full snapshot/],
  ])('%s is refused, saying what and where', (_name, file, message) => {
    expect(() => parseRecording(file)).toThrow(RecordingFault);
    expect(() => parseRecording(file)).toThrow(message);
  });

  test('becomes frames: Meta and the full snapshot behind it are one keyframe, in the order of the events', () => {
    const frames = framesOfEvents([META, FULL, MOVE]);
    expect(frames.map((frame) => [frame.track, frame.keyframe, frame.timestampMs])).toEqual([
      ['dom', true, 1000],
      ['dom', false, 1500],
    ]);
    expect(frames.map((frame) => text(frame.payload))).toEqual([[META, FULL], MOVE]);
  });

  test('a full snapshot without Meta is a keyframe by itself', () => {
    expect(framesOfEvents([FULL]).map((frame) => [frame.keyframe, text(frame.payload)])).toEqual([[true, [FULL]]]);
  });
});
