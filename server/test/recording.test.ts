import { describe, expect, test } from 'vitest';
import { framesOfEvents, parseRecording, RecordingFault } from '../src/import/recording.ts';

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

  test('whose events are nested too deeply to be written again is refused', () => {
    const deep = `{"type":3,"timestamp":1600,"data":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    const events = parseRecording(`${JSON.stringify(FULL)}\n${deep}\n`);
    expect(() => framesOfEvents(events)).toThrow(RecordingFault);
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
    const frames = framesOfEvents([META, FULL, MOVE]).filter((frame) => frame.track === 'dom');
    expect(frames.map((frame) => [frame.keyframe, frame.timestampMs, text(frame.payload)])).toEqual([
      [true, 1000, [META, FULL]],
      [false, 1500, MOVE],
    ]);
  });

  test('a full snapshot without Meta is a keyframe by itself', () => {
    expect(framesOfEvents([FULL]).map((frame) => [frame.keyframe, text(frame.payload)])).toEqual([[true, [FULL]]]);
  });

  test('has signals for its clicks, and for its address where that changes', () => {
    const click = { type: 3, timestamp: 1600, data: { source: 2, type: 2, x: 3, y: 4 } };
    const elsewhere = { ...META, timestamp: 1700, data: { ...META.data, href: 'https://shop.example/cart' } };
    const signals = framesOfEvents([META, FULL, MOVE, click, META, FULL, elsewhere, FULL]).filter((frame) => frame.track === 'signal');
    expect(signals.map((frame) => [frame.timestampMs, text(frame.payload)])).toEqual([
      [1000, { kind: 'navigation', url: 'https://shop.example/' }],
      [1600, { kind: 'click', x: 3, y: 4 }],
      [1700, { kind: 'navigation', url: 'https://shop.example/cart' }],
    ]);
  });
});
