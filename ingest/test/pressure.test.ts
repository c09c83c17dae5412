import type { EventLog } from '@playhead/ports';
import { sparingLogger, Waits } from '@playhead/ports';
import { uuidv7 } from '@playhead/schemas';
import type { ManualClock } from '@playhead/testkit';
import { keepingLogger, lineRate, manualClock, memoryLog, Presence } from '@playhead/testkit';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import Fastify from 'fastify';
import { describe, expect, test, vi } from 'vitest';
import type { IngestConfig } from '../src/index.ts';
import { registerIngest } from '../src/index.ts';
import { aBody, KEY, NOW_MS, PARTITIONS, queryOf } from './door.ts';

/** Ingest while the log is away or hangs, for ten minutes. Stores it does not have. */

// Many virtual seconds, each with turns of the event loop: on a busy machine they take their time.
vi.setConfig({ testTimeout: 90_000 });

const AWAY_MS = 600_000;
const STEP_MS = 5_000;
const PER_STEP = 3;

async function settle(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const sessionOf = (seed: number): string => uuidv7(NOW_MS, new Uint8Array(10).fill(seed % 251));

/** A door as the server puts it together: its log watched, what it says sparing. */
async function open(config: IngestConfig = {}) {
  const clock = manualClock(NOW_MS);
  const inner = memoryLog({ partitions: PARTITIONS });
  const presence = new Presence(clock, 'log_unavailable');
  /** Bytes and records that the log was given and has not settled. */
  const held = { bytes: 0, records: 0, mostBytes: 0, mostRecords: 0, given: 0 };
  let hangs = false;
  const kept = keepingLogger(clock);
  const logger = sparingLogger(kept, clock);
  const waits = new Waits(clock, logger);
  const absent = presence.of(inner);
  const counting: EventLog = {
    ...inner,
    bounds: (topic, partition) => absent.bounds(topic, partition),
    read: (topic, partition, from, options) => absent.read(topic, partition, from, options),
    append: async (topic, partition, key, record) => {
      const bytes = JSON.stringify(record, (_, value: unknown) => (value instanceof Uint8Array ? '' : value)).length + bodyBytes(record);
      held.given++;
      held.bytes += bytes;
      held.mostBytes = Math.max(held.mostBytes, held.bytes);
      held.mostRecords = Math.max(held.mostRecords, ++held.records);
      try {
        if (hangs) await new Promise(() => undefined);
        return await absent.append(topic, partition, key, record);
      } finally {
        held.bytes -= bytes;
        held.records--;
      }
    },
  };
  const log = waits.watched('log', counting);
  const app = Fastify();
  const projects = { projectOfWriteKey: (key: string) => (key === KEY ? 'shop' : undefined), viewerOfToken: () => undefined };
  await registerIngest(app, { log, projects, clock, randomBytes: (count) => new Uint8Array(count).fill(3), logger, config });
  await app.ready();
  return { app, clock, presence, held, waits, lines: kept.lines, inner, hang: () => (hangs = true) };
}

function bodyBytes(record: object): number {
  return 'body' in record && record.body instanceof Uint8Array ? record.body.length : 0;
}

function upload(app: FastifyInstance, seed: number, body = aBody()): Promise<LightMyRequestResponse> {
  const url = `/v1/sessions/${sessionOf(seed)}/uploads?${queryOf({ upload: `upload-${seed}`, counter: seed })}`;
  return app.inject({ method: 'POST', url, payload: Buffer.from(body), headers: { 'content-type': 'application/octet-stream' } });
}

async function pass(clock: ManualClock, ms: number, each: () => Promise<void>): Promise<void> {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    await each();
    clock.advance(STEP_MS);
    await settle(2);
  }
}

describe('ten minutes without the log', () => {
  test.for([0, 10_000])(
    '[IN4] when appends fail after %i ms, every upload is answered 503, the process says so sparingly, and then takes them again',
    async (hangMs) => {
      const { app, clock, presence, held, waits, lines, inner } = await open();
      expect((await upload(app, 0)).statusCode).toBe(204);
      presence.leave(hangMs);
      const fromMs = clock.now();
      const statuses: number[] = [];
      let [sent, retryAfter] = [0, 0];
      await pass(clock, AWAY_MS, async () => {
        const { given } = held;
        for (let i = 0; i < PER_STEP; i++) {
          void upload(app, ++sent).then((answer) => {
            statuses.push(answer.statusCode);
            if (answer.headers['retry-after'] !== undefined) retryAfter++;
          });
        }
        // Bodies are inflated on other threads; then the log is asked.
        while (held.given < given + PER_STEP) await settle(1);
      });
      clock.advance(hangMs);
      while (statuses.length < sent) await settle(10);
      expect(new Set(statuses)).toEqual(new Set([503]));
      expect(retryAfter).toBe(sent);
      expect(held.mostRecords).toBeLessThanOrEqual(PER_STEP * (2 + hangMs / STEP_MS));
      expect(held.records).toBe(0);
      const waiting = waits.report();
      expect(waiting).toContainEqual(expect.objectContaining({ engine: 'log', operation: 'append' }));
      expect(waiting.find(({ operation }) => operation === 'append')?.sinceMs).toBe(fromMs);
      const warned = lines.filter(({ level }) => level === 'warn').map(({ atMs }) => atMs);
      const rate = lineRate(warned, fromMs, clock.now());
      expect(rate.longestSilenceMs).toBeLessThanOrEqual(10_000 + STEP_MS);
      expect(rate.mostInASecond).toBeLessThanOrEqual(12);
      expect(rate.lines).toBeLessThanOrEqual((AWAY_MS / 10_000) * 12);

      presence.comeBack();
      const again = await Promise.all(Array.from({ length: 20 }, (_, i) => upload(app, i + 1)));
      expect(again.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 20 }, () => 204));
      expect(waits.report()).toEqual([]);
      let uploads = 0;
      for (let partition = 0; partition < PARTITIONS; partition++) uploads += (await inner.bounds('playhead.uploads', partition)).next;
      // What was acknowledged: once before and twenty times after.
      expect(uploads).toBe(21);
      await app.close();
    },
  );

  test('[IN19] when appends hang for ever, uploads, starts and ends hold no more than their bound; who comes later is refused at once', async () => {
    const inFlightBytesMax = 4 * 1024 * 1024;
    const { app, clock, held, hang } = await open({ inFlightBytesMax });
    hang();
    const statuses: number[] = [];
    const sent: Promise<unknown>[] = [];
    const note = (answer: Promise<LightMyRequestResponse>): void =>
      void sent.push(answer.then(({ statusCode }) => statuses.push(statusCode)));
    const facts = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`fact-${i}`, 'x'.repeat(1_900)]));
    let seed = 0;
    await pass(clock, AWAY_MS, async () => {
      for (let i = 0; i < 2; i++) {
        note(upload(app, ++seed));
        note(app.inject({ method: 'POST', url: `/v1/sessions?key=${KEY}`, payload: { sessionId: `session-of-${++seed}`, facts } }));
        note(app.inject({ method: 'POST', url: `/v1/sessions/session-of-${seed}/end?key=${KEY}` }));
      }
      await settle(6);
    });
    clock.advance(60_000);
    await Promise.all(sent);
    expect(new Set(statuses)).toEqual(new Set([503]));
    expect(held.mostBytes).toBeGreaterThan(100_000);
    expect(held.mostBytes).toBeLessThanOrEqual(inFlightBytesMax);
    await app.close();
  });
});
