import { LIMITS, partitionOf } from '@playhead/schemas';
import { aSessionEnded, aSessionStarted, aWatch } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import type { Door } from './door.ts';
import { aBody, FaultyLog, KEY, NOW_MS, openDoor, PARTITIONS, SESSION } from './door.ts';

const LEASE = { sessionId: SESSION, watchId: 'watch-1', expiresAtMs: NOW_MS + LIMITS.watchLeaseMs };

async function heard(door: Door, sessionId = SESSION) {
  const answer = await door.upload(aBody(), {}, sessionId);
  expect(answer.statusCode).toBe(204);
  return {
    flushMs: answer.headers['playhead-flush-ms'],
    keyframe: answer.headers['playhead-keyframe'],
    session: answer.headers['playhead-session'],
  };
}

const NOTHING = { flushMs: undefined, keyframe: undefined, session: undefined };

/** Puts a lease where ingest reads on, again until it is seen: as gateways renew theirs. */
async function watchUntilHeard(door: Door, watchId = 'watch-1'): Promise<void> {
  await expect
    .poll(async () => {
      await door.log.put('playhead.watches', aWatch({ ...LEASE, watchId }));
      return (await heard(door)).keyframe;
    })
    .toBe(watchId);
}

describe('watched sessions', () => {
  test('[IN22] replies say how often to flush and name the watch, to that session only, until the lease ends', async () => {
    const door = await openDoor();
    expect(await heard(door)).toEqual(NOTHING);
    await watchUntilHeard(door);
    expect(await heard(door)).toEqual({ flushMs: '250', keyframe: 'watch-1', session: undefined });
    expect(await heard(door, 'another-session')).toEqual(NOTHING);
    door.clock.advance(LIMITS.watchLeaseMs);
    expect(await heard(door)).toEqual(NOTHING);
    await door.app.close();
  });

  test('[IN22] the newest watch is named', async () => {
    const door = await openDoor();
    await watchUntilHeard(door, 'watch-1');
    await watchUntilHeard(door, 'watch-2');
    await door.log.put('playhead.watches', aWatch({ ...LEASE, expiresAtMs: LEASE.expiresAtMs + 1_000 }));
    await watchUntilHeard(door, 'watch-2');
    door.clock.advance(1_000);
    expect((await heard(door)).keyframe).toBe('watch-2');
    await door.app.close();
  });

  test('[IN25] a log that cannot be followed is followed again after a pause, and uploads go on', async () => {
    const log = new FaultyLog();
    let reads = 0;
    log.beforeRead = () => {
      reads += 1;
      throw new Error('the broker is away');
    };
    const door = await openDoor({ tailPauseMs: 1_000 }, () => {}, log);
    await expect.poll(() => reads).toBe(2 * PARTITIONS);
    expect(await heard(door)).toEqual(NOTHING);
    // One line for each reader, however often it tries.
    door.clock.advance(1_000);
    await expect.poll(() => reads).toBe(4 * PARTITIONS);
    expect(door.logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(2 * PARTITIONS);
    log.beforeRead = () => {};
    await expect.poll(() => door.clock.waiting).toBe(2 * PARTITIONS);
    door.clock.advance(1_000);
    await watchUntilHeard(door);
    await door.app.close();
  });

  test('[IN25] closing the app ends what follows the log, also in the pause after a failure', async () => {
    const log = new FaultyLog();
    log.beforeRead = () => {
      throw new Error('the broker is away');
    };
    const door = await openDoor({}, () => {}, log);
    await door.app.close();
    expect(door.clock.waiting).toBe(0);
  });
});

describe('ended sessions', () => {
  test('[IN23] an end told here is heard with the next upload, which is still accepted', async () => {
    const door = await openDoor();
    await door.post(`/v1/sessions/${SESSION}/end?key=${KEY}`);
    expect(await heard(door)).toEqual({ ...NOTHING, session: 'ended' });
    expect(await door.uploads()).toHaveLength(1);
  });

  test('[IN23] an end that another process wrote is heard too', async () => {
    const door = await openDoor();
    await expect
      .poll(async () => {
        await door.log.put('playhead.sessions', aSessionEnded({ sessionId: SESSION }));
        return (await heard(door)).session;
      })
      .toBe('ended');
    await door.app.close();
  });

  test('[IN6] a session that another process announced is not announced again', async () => {
    const door = await openDoor();
    const endHeard = async (sessionId: string): Promise<void> =>
      expect
        .poll(async () => {
          await door.log.put('playhead.sessions', aSessionEnded({ sessionId }));
          return (await heard(door, sessionId)).session;
        })
        .toBe('ended');
    const ids = Array.from({ length: 100 }, (_, n) => `session-${n}`);
    const [before, announced, behind] = ids.filter((id) => partitionOf(id, PARTITIONS) === 0);
    // The reader of the partition is there, and it has read the announcement when it has read what lies behind it.
    await endHeard(before ?? '');
    await door.log.put('playhead.sessions', aSessionStarted({ sessionId: announced ?? '', source: 'web' }));
    await endHeard(behind ?? '');
    await heard(door, announced);
    const starts = (await door.log.records('playhead.sessions')).filter(
      ({ kind, sessionId }) => kind === 'started' && sessionId === announced,
    );
    expect(starts).toMatchObject([{ source: 'web' }]);
    await door.app.close();
  });
});
