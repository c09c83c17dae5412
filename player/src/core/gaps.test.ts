import { GAP_REASONS, toOffset } from '@playhead/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Gap } from './gaps.ts';
import { gapAt, hidesPicture, isAbsence, readGap, SessionGaps } from './gaps.ts';
import { inactiveRanges, mergeRanges, skippedOf } from './inactivity.ts';
import { SessionTracks } from './session-tracks.ts';
import { gapLabel, gapSize, gapsText, gapTitle, gapWhen, gapWhy } from './words.ts';

const frame = (timestampMs: number, offset: number, windowId = 'w1', index = 0) => ({
  timestampMs,
  windowId,
  position: { offset: toOffset(offset), index },
});
const lost = (first: number, last: number) => ({ firstOffset: toOffset(first), lastOffset: toOffset(last), reason: 'trimmed' as const });
const ALL = { fromMs: 0, toMs: 100_000 };
const whenOf = (gaps: SessionGaps, extent = ALL): string[] =>
  gaps.list(extent).map(({ reason, fromMs, toMs, open }) => `${reason} ${fromMs}..${open ? '' : toMs}`);

describe('what a recorder tells', () => {
  test('is shown from when to when it says; without a beginning it is a moment', () => {
    const gaps = new SessionGaps();
    const told = { kind: 'gap', reason: 'background', fromMs: 30_000, toMs: 52_000 };
    for (const value of [told, { kind: 'gap', reason: 'solar_flare' }]) {
      const gap = readGap(value, 60_000);
      if (gap) gaps.tell(frame(60_000, 7, 'w1', value === told ? 0 : 1), gap);
    }
    expect(whenOf(gaps)).toEqual(['background 30000..52000', 'solar_flare 60000..60000']);
  });

  test('comes once, although the stream and the index both bring it', () => {
    const tracks = new SessionTracks();
    const gap = { kind: 'gap', reason: 'refused', fromMs: 1, toMs: 2, frames: 3 };
    for (let times = 0; times < 2; times++) expect(tracks.addSignal(frame(5, 1), gap)).toBe(true);
    expect(tracks.gaps.list(ALL)).toMatchObject([{ frames: 3, bytes: null, windowId: 'w1' }]);
    expect(tracks.marks).toEqual([]);
  });

  test('never breaks the reader, whatever it is', () => {
    for (const value of [null, 7, 'gap', [], [{ kind: 'gap' }], {}, { kind: 'click', reason: 'refused' }])
      expect(readGap(value, 10)).toBeUndefined();
    const fields = fc.dictionary(fc.constantFrom('reason', 'fromMs', 'toMs', 'frames', 'track', 'value'), fc.jsonValue());
    fc.assert(
      fc.property(fields, (told) => {
        const gap = readGap({ ...told, kind: 'gap' }, 10);
        expect(gap?.fromMs).toBeLessThanOrEqual(gap?.toMs ?? -1);
        expect(gap && gapWhy(gap)).not.toBe('');
      }),
    );
  });
});

describe('what the server has lost', () => {
  test('lies between the frames around it, whether they come before or after the word of it', () => {
    const gaps = new SessionGaps();
    gaps.note(frame(1_000, 1));
    gaps.note(frame(4_000, 2));
    gaps.note(frame(2_000, 2));
    gaps.lose(lost(3, 8));
    expect(whenOf(gaps)).toEqual(['trimmed 4000..']);
    gaps.note(frame(9_000, 9));
    gaps.note(frame(8_500, 9));
    expect(whenOf(gaps)).toEqual(['trimmed 4000..8500']);
    // The rest of an upload that was noted before the gap was told.
    gaps.note(frame(5_000, 2));
    expect(whenOf(gaps)).toEqual(['trimmed 5000..8500']);
  });

  test('at the beginning lies before the first frame; told again, also in part, it is the same', () => {
    const gaps = new SessionGaps();
    gaps.lose(lost(0, 5));
    gaps.lose(lost(2, 5));
    gaps.note(frame(60_000, 6));
    expect(whenOf(gaps, { fromMs: 60_000, toMs: 90_000 })).toEqual(['trimmed 60000..60000']);
  });
});

describe('what cannot be drawn', () => {
  test('changes of a page before its first keyframe have no picture until then', () => {
    const gaps = new SessionGaps();
    gaps.noteDom(frame(10_000, 1), 'change');
    gaps.noteDom(frame(12_000, 2), 'change');
    expect(whenOf(gaps)).toEqual(['no_keyframe 10000..']);
    gaps.noteDom(frame(15_000, 3), 'keyframe');
    gaps.noteDom(frame(15_000, 4, 'w2'), 'keyframe');
    gaps.noteDom(frame(15_200, 5, 'w2'), 'change');
    expect(whenOf(gaps)).toEqual(['no_keyframe 10000..15000']);
    // It was only late: nothing is missing.
    gaps.noteDom(frame(9_900, 6), 'keyframe');
    expect(whenOf(gaps)).toEqual([]);
  });

  test('a keyframe of which only parts came hides the picture until the next; another frame is a moment', () => {
    const gaps = new SessionGaps();
    gaps.noteDom(frame(1_000, 1), 'keyframe');
    gaps.noteDom(frame(30_000, 9), 'keyframe');
    const parts = { track: 'dom', keyframe: true, reason: 'interrupted' } as const;
    gaps.miss([
      { ...frame(10_000, 3), ...parts },
      { ...frame(12_000, 5), ...parts, keyframe: false },
      { ...frame(40_000, 11), ...parts, keyframe: false, reason: 'no-beginning' },
    ]);
    expect(whenOf(gaps)).toEqual(['keyframe_incomplete 10000..30000', 'incomplete 12000..12000', 'keyframe_incomplete 40000..']);
    expect(gaps.list(ALL).map(hidesPicture)).toEqual([true, false, true]);
  });
});

describe('a moment', () => {
  const gap = (reason: string, fromMs: number, toMs: number, more: Partial<Gap> = {}): Gap => ({
    id: reason,
    reason,
    fromMs,
    toMs,
    open: false,
    windowId: 'w1',
    frames: null,
    bytes: null,
    track: null,
    of: null,
    ...more,
  });

  test('is in the gap of its window that matters most; missing signals leave the picture as it is', () => {
    const gaps = [
      gap('refused', 10, 30),
      gap('keyframe_lost', 20, 40),
      gap('background', 50, 60, { windowId: 'w2' }),
      gap('trimmed', 70, 80, { windowId: null }),
      gap('too_many_signals', 90, 95, { track: 'signal' }),
      gap('no_keyframe', 97, 98, { open: true }),
    ];
    const at = (timeMs: number): string | undefined => gapAt(gaps, timeMs, 'w1')?.reason;
    expect([5, 10, 25, 30, 40, 55, 75, 92, 97, 500].map(at)).toEqual([
      undefined,
      'refused',
      'keyframe_lost',
      'keyframe_lost',
      undefined,
      undefined,
      'trimmed',
      undefined,
      'no_keyframe',
      'no_keyframe',
    ]);
  });

  test('in which nothing is to be seen is skipped with the others, at its ends a second is left', () => {
    const idle = inactiveRanges([0, 10_000, 20_000], 0, 20_000);
    const ranges = mergeRanges([...idle, ...skippedOf({ fromMs: 5_000, toMs: 15_000 }), ...skippedOf({ fromMs: 30_000, toMs: 33_000 })]);
    expect(ranges).toEqual([{ fromMs: 1_000, toMs: 19_000 }]);
  });

  test('is told in words', () => {
    const away = gap('background', 30_000, 52_400, { frames: 0 });
    expect(gapLabel(away, 0)).toBe('Gap, 0:30 to 0:52: it was in the background; 22 s');
    expect(gapTitle(away, 0)).toBe('Nothing was recorded from 0:30 to 0:52');
    const full = gap('buffer_full', 1_000, 61_000, { frames: 31, bytes: 8_400_000, track: 'image' });
    expect([gapWhen(full, 0), gapSize(full)]).toEqual(['0:01 – 1:01', '60 s, 31 pictures, 8.4 MB']);
    const many = gap('too_many_signals', 5_000, 5_000, { frames: 1, track: 'signal', of: 'error' });
    expect(gapLabel(many, 0)).toBe('Gap, 0:05: too many at once (error); 1 signal');
    const blind = gap('no_keyframe', 0, 12_000);
    expect([gapTitle(blind, 0), gapTitle({ ...blind, open: true }, 0)]).toEqual(['No picture until 0:12', 'No picture from 0:00 on']);
    expect(gapWhen(gap('page_left', 1_000, 2_000), 5_000)).toBe('before 0:00');
    expect(gapsText([away, gap('refused', 40_000, 60_000), many])).toBe('3 gaps, 30 s');
    expect(gapWhy({ reason: 'solar_flare', of: null })).toBe('solar flare');
    expect(isAbsence(away)).toBe(true);
    for (const reason of GAP_REASONS) expect(gapWhy({ reason, of: null })).not.toBe(reason.replaceAll('_', ' '));
  });
});

describe('while history is on its way', () => {
  const coming = (fromMs: number, toMs: number) => ({ fromMs, toMs });
  const told = (gaps: SessionGaps, absent: { fromMs: number; toMs: number } | null): string[] =>
    gaps.list(ALL, absent).map(({ reason, fromMs, toMs }) => `${reason} ${fromMs}..${toMs}`);

  test('a page that has come without its keyframe is not called blind as far as the edge', () => {
    const gaps = new SessionGaps();
    gaps.noteDom(frame(90_000, 90), 'keyframe');
    gaps.noteDom(frame(91_000, 91), 'change');
    gaps.noteDom(frame(1_000, 1), 'change');
    expect(told(gaps, coming(1_000, 90_000))).toEqual([]);
    gaps.noteDom(frame(12_000, 12), 'keyframe');
    expect(told(gaps, coming(12_000, 90_000))).toEqual(['no_keyframe 1000..12000']);
    expect(told(gaps, null)).toEqual(['no_keyframe 1000..12000']);
  });

  test('a window that the edge has from the middle on is not called blind', () => {
    const gaps = new SessionGaps();
    gaps.noteDom(frame(80_000, 80, 'w2'), 'change');
    gaps.noteDom(frame(95_000, 95, 'w2'), 'keyframe');
    expect(told(gaps, coming(0, 80_000))).toEqual([]);
    gaps.noteDom(frame(500, 1, 'w2'), 'keyframe');
    expect(told(gaps, null)).toEqual([]);
  });

  test('what the server has lost is told where the frames around it are there', () => {
    const gaps = new SessionGaps();
    gaps.lose(lost(92, 93));
    gaps.lose(lost(40, 41));
    for (const at of [90, 91, 94]) gaps.note(frame(at * 1_000, at));
    expect(told(gaps, coming(0, 90_000))).toEqual(['trimmed 91000..94000']);
    for (const at of [39, 42]) gaps.note(frame(at * 1_000, at));
    expect(told(gaps, coming(42_000, 90_000))).toEqual(['trimmed 39000..42000', 'trimmed 91000..94000']);
  });

  test('what a recorder tells is told at once, and what both streams tell once', () => {
    const gaps = new SessionGaps();
    const value = readGap({ kind: 'gap', reason: 'background', fromMs: 30_000, toMs: 52_000 }, 52_000);
    if (value) for (let time = 0; time < 2; time++) gaps.tell(frame(52_000, 52), value);
    gaps.lose(lost(7, 8));
    gaps.lose(lost(5, 8));
    gaps.lose(lost(6, 8));
    gaps.note(frame(4_000, 4));
    gaps.note(frame(9_000, 9));
    expect(told(gaps, coming(0, 90_000))).toEqual(['background 30000..52000']);
    expect(told(gaps, null)).toEqual(['trimmed 4000..9000', 'background 30000..52000']);
  });
});
