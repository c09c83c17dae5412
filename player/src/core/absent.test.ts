import { describe, expect, test } from 'vitest';
import { Absence, isAbsent } from './absent.ts';

const frame = (timestampMs: number, windowId = 'w1') => ({ timestampMs, windowId, track: 'dom' as const });

describe('what is on its way', () => {
  test('is what lies between the beginning and the edge, less and less as history comes', () => {
    const absence = new Absence();
    absence.note(frame(900), 'edge');
    absence.note(frame(950), 'edge');
    expect(absence.range(100)).toEqual({ fromMs: 100, toMs: 900 });
    absence.note(frame(500), 'history');
    expect(absence.range(100)).toEqual({ fromMs: 500, toMs: 900 });
    expect([499, 500, 899, 900].map((timeMs) => isAbsent(absence.range(100), timeMs))).toEqual([false, true, true, false]);
    absence.note(frame(990), 'history');
    expect(absence.range(100)).toEqual({ fromMs: 900, toMs: 900 });
    expect(isAbsent(absence.range(100), 900)).toBe(false);
    expect(isAbsent(null, 900)).toBe(false);
  });

  test('reaches to the window that begins last: nobody knows what others did before it', () => {
    const absence = new Absence();
    absence.note(frame(300, 'w1'), 'edge');
    absence.note(frame(900, 'w2'), 'edge');
    expect(absence.range(100)).toEqual({ fromMs: 100, toMs: 900 });
  });

  test('is nothing before a frame of the edge is there', () => {
    expect(new Absence().range(100)).toEqual({ fromMs: 100, toMs: 100 });
  });
});
