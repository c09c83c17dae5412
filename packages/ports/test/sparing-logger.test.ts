import { keepingLogger, manualClock } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { sparingLogger } from '../src/index.ts';

describe('a sparing logger', () => {
  test('writes three lines of a message in ten seconds, then how many it left out; numbers do not make another message', () => {
    const clock = manualClock();
    const kept = keepingLogger();
    const logger = sparingLogger(kept, clock);
    for (let ms = 0; ms < 10_000; ms += 10) {
      logger.warn({ ms }, `waiting for partition ${ms % 7}`);
      clock.advance(10);
    }
    logger.warn({}, 'waiting for partition 3');
    expect(kept.lines.map(({ data }) => data)).toEqual([{ ms: 0 }, { ms: 10 }, { ms: 20 }, { leftOut: 997 }]);
  });

  test('counts each message for itself, and leaves alone what is no warning', () => {
    const kept = keepingLogger();
    const logger = sparingLogger(kept, manualClock());
    for (let i = 0; i < 20; i++) {
      logger.error({}, 'one');
      logger.info({}, 'two');
      logger.debug({}, 'three');
    }
    logger.warn({}, 'four');
    const counts = Object.entries(Object.groupBy(kept.lines, ({ message }) => message)).map(([message, lines]) => [message, lines?.length]);
    expect(counts).toEqual([
      ['one', 3],
      ['two', 20],
      ['three', 20],
      ['four', 1],
    ]);
  });
});
