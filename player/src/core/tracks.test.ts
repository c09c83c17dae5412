import type { PositionedFrame, SessionInfo } from '@playhead/schemas';
import { NO_COUNTS, toOffset } from '@playhead/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { historyFrom } from './join.ts';
import { clusterMarks, readSignal } from './marks.ts';
import { readDomPayload } from './rrweb-frame.ts';
import { mergeSessions } from './session-list.ts';
import { SessionTracks } from './session-tracks.ts';
import { compareTimed, insertTimed, lastAtOrBefore } from './timeline.ts';
import { agoText, clockText, spanText } from './words.ts';

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const frame = (timestampMs: number, offset: number, windowId = 'w1'): PositionedFrame => ({
  timestampMs,
  windowId,
  position: { offset: toOffset(offset), index: 0 },
  track: 'dom',
  keyframe: false,
  payload: new Uint8Array(),
});

describe('the timeline', () => {
  test('is in order of time, ties by position, each frame once, in whatever order they come', () => {
    const items = fc.array(
      fc.record({
        timestampMs: fc.integer({ min: 0, max: 20 }),
        offset: fc.integer({ min: 0, max: 9 }),
        index: fc.integer({ min: 0, max: 2 }),
      }),
    );
    fc.assert(
      fc.property(items, (list) => {
        const timeline: { timestampMs: number; position: { offset: ReturnType<typeof toOffset>; index: number } }[] = [];
        for (const { timestampMs, offset, index } of list)
          insertTimed(timeline, { timestampMs, position: { offset: toOffset(offset), index } });
        expect(timeline).toEqual(timeline.toSorted(compareTimed));
        const keys = new Set(list.map((item) => `${item.timestampMs} ${item.offset} ${item.index}`));
        expect(timeline.length).toBe(keys.size);
        for (let time = -1; time <= 21; time++) {
          const at = lastAtOrBefore(timeline, time);
          expect(timeline.filter((item) => item.timestampMs <= time).length).toBe(at + 1);
        }
      }),
    );
  });
});

describe('the tracks of a session', () => {
  const click = { type: 3, data: { source: 2, type: 2, id: 1, x: 1, y: 1 }, timestamp: 0 };
  const meta = { type: 4, data: { href: 'https://shop.example/a', width: 10, height: 10 }, timestamp: 0 };
  const full = { type: 2, data: { node: {} }, timestamp: 0 };

  test('the window is the one in which the person was last active; a background keyframe does not count', () => {
    const tracks = new SessionTracks();
    tracks.addDom(frame(1_000, 1, 'w1'), [meta, full]);
    tracks.addDom(frame(5_000, 2, 'w2'), [meta, full]);
    tracks.addDom(frame(9_000, 3, 'w1'), [click]);
    tracks.addDom(frame(12_000, 4, 'w2'), [meta, full]);
    expect([500, 1_000, 6_000, 9_000, 20_000].map((time) => tracks.windowAt(time))).toEqual(['w1', 'w1', 'w2', 'w1', 'w1']);
  });

  test('marks are read from the page’s events only when the recorder sends no signals', () => {
    const tracks = new SessionTracks();
    tracks.addDom(frame(1_000, 1), [meta, full]);
    tracks.addDom(frame(2_000, 2), [click]);
    expect(tracks.marks.map((mark) => mark.kind)).toEqual(['navigation', 'click']);
    tracks.addSignal(frame(1_500, 3), { kind: 'error', text: 'boom' });
    expect(tracks.marks.map((mark) => mark.text)).toEqual(['boom']);
  });

  test('the address is that of the page at the moment', () => {
    const tracks = new SessionTracks();
    tracks.addDom(frame(1_000, 1), [meta, full]);
    tracks.addSignal(frame(4_000, 2), { kind: 'navigation', url: 'https://shop.example/b' });
    expect([0, 2_000, 5_000].map((time) => tracks.hrefAt(time, 'w1'))).toEqual([
      'https://shop.example/a',
      'https://shop.example/a',
      'https://shop.example/b',
    ]);
  });

  test('it does not matter in which order frames come: history behind the live edge says the same', () => {
    const navigation = { ...meta, data: { ...meta.data, href: 'https://shop.example/b' } };
    const frames = [
      { frame: frame(1_000, 1, 'w1'), events: [meta, full] },
      { frame: frame(2_000, 2, 'w2'), events: [meta, full] },
      { frame: frame(3_000, 3, 'w1'), events: [click] },
      { frame: frame(4_000, 4, 'w1'), events: [navigation, full] },
      { frame: frame(6_000, 5, 'w2'), events: [navigation, full] },
      { frame: frame(7_000, 6, 'w1'), events: [meta, full] },
      { frame: frame(8_000, 7, 'w2'), events: [meta, full] },
    ];
    const said = (order: typeof frames): unknown => {
      const tracks = new SessionTracks();
      for (const { frame, events } of order) tracks.addDom(frame, events);
      const times = [0, 1_500, 2_500, 3_500, 5_000, 6_500, 9_000];
      return [
        tracks.marks.map(({ timestampMs, windowId, kind, text }) => [timestampMs, windowId, kind, text]),
        times.map((time) => [tracks.windowAt(time), tracks.hrefAt(time, 'w1'), tracks.hrefAt(time, 'w2')]),
      ];
    };
    const order = fc.shuffledSubarray(frames, { minLength: frames.length, maxLength: frames.length });
    fc.assert(
      fc.property(order, (shuffled) => {
        expect(said(shuffled)).toEqual(said(frames));
      }),
    );
  });

  test('a picture like the one before is no activity', () => {
    const tracks = new SessionTracks();
    for (const [index, size] of [10, 10, 10, 12].entries()) tracks.addImage(frame(index * 1_000, index), size);
    expect(tracks.activity).toEqual([0, 3_000]);
  });
});

describe('what strangers recorded', () => {
  test('never breaks the readers', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => [readSignal(value), readDomPayload(bytes(value), 1)]).not.toThrow();
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (payload) => {
        expect(() => readDomPayload(payload, 1)).not.toThrow();
      }),
    );
  });

  test('a signal whose kind is what every object inherits is none', () => {
    for (const kind of ['constructor', 'toString', '__proto__']) expect(readSignal({ kind, text: 'x' })).toBeUndefined();
  });

  test('an event gets its frame’s time', () => {
    expect(readDomPayload(bytes({ type: 3, data: { source: 1 }, timestamp: 5 }), 77)?.[0]?.timestamp).toBe(77);
  });

  test('what is no event is refused whole', () => {
    for (const value of [
      null,
      7,
      {},
      { type: 9, data: {} },
      { type: 3, data: null },
      [{ type: 2, data: { node: {} } }, 1],
      { type: 4, data: { width: -1, height: 1 } },
    ])
      expect(readDomPayload(bytes(value), 1)).toBeUndefined();
  });
});

describe('marks on a timeline', () => {
  const mark = (timestampMs: number, kind: 'click' | 'error' | 'console') => ({ ...frame(timestampMs, timestampMs), kind, text: '' });

  test('share a place; an error is never hidden by a click', () => {
    const clusters = clusterMarks([mark(100, 'click'), mark(110, 'error'), mark(120, 'click'), mark(900, 'click')], 0, 1_000, 10);
    expect(clusters.map(({ mark, count }) => [mark.kind, count])).toEqual([
      ['error', 3],
      ['click', 1],
    ]);
  });

  test('leave out what would only be noise, and what lies outside', () => {
    expect(clusterMarks([mark(100, 'console'), mark(5_000, 'click')], 0, 1_000, 10)).toEqual([]);
    expect(clusterMarks([mark(0, 'click')], 0, 0, 10)).toEqual([]);
  });
});

describe('the list of sessions', () => {
  const session = (sessionId: string, startedAtMs: number, more: Partial<SessionInfo> = {}): SessionInfo =>
    ({ sessionId, startedAtMs, lastActivityMs: startedAtMs, live: true, endedAtMs: null, ...more }) as SessionInfo;

  test('is newest first, each once', () => {
    const list = mergeSessions([session('b', 2), session('a', 1)], [session('c', 3), session('b', 2)]);
    expect(list.map((one) => one.sessionId)).toEqual(['c', 'b', 'a']);
  });

  test('an answer that was read earlier does not undo an end', () => {
    const ended = session('a', 1, { live: false, endedAtMs: 9 });
    expect(mergeSessions([ended], [session('a', 1, { lastActivityMs: 5 })])[0]?.endedAtMs).toBe(9);
  });
});

describe('joining', () => {
  const counts = { ...NO_COUNTS };

  test('reads the history of pages as a stream, and of pictures from the index', () => {
    expect(historyFrom({ source: 'phone', counts })).toBe('stream');
    expect(historyFrom({ source: 'phone', counts: { ...counts, images: 9, keyframes: 9 } })).toBe('index');
    expect(historyFrom({ source: 'web', counts: { ...counts, images: 2, keyframes: 4 } })).toBe('stream');
  });
});

describe('words for times', () => {
  test('are short', () => {
    expect([clockText(65_000), clockText(3_723_000), clockText(-5)]).toEqual(['1:05', '1:02:03', '0:00']);
    expect([spanText(412), spanText(12_400), spanText(180_000), spanText(7_200_000)]).toEqual(['0.4 s', '12 s', '3 min', '2 h']);
    const now = 1e12;
    const days = (count: number): string => agoText(now - count * 86_400_000, now);
    expect([agoText(now, now), agoText(now - 300_000, now), days(1), days(12), days(90), days(2902)]).toEqual([
      'just now',
      '5 min ago',
      'yesterday',
      '12 days ago',
      '3 months ago',
      '7 years ago',
    ]);
  });
});
