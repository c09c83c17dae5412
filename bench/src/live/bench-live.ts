import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { registerLiveGateway } from '@playhead/live-gateway';
import { openLmdbLog } from '@playhead/log-lmdb';
import { systemClock } from '@playhead/ports';
import { decodeFramesMessage, toOffset, uuidv7 } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import { anUpload, aSessionStarted, memoryBlocks, memoryCatalog, silentLogger } from '@playhead/testkit';
import Fastify from 'fastify';
import { WebSocket } from 'ws';
import { makeBodies } from '../cluster/bodies.ts';
import type { Goal } from '../goal.ts';
import { goalTable } from '../goal.ts';
import type { Run } from '../run.ts';
import type { BenchTable } from '../table.ts';
import { quantile } from '../table.ts';

const PER_S = 200;
const BODY_BYTES = 20_000;
const LATE_MS = 20;
const PROJECT = 'bench';

/**
 * From the log to a viewer's socket: for each upload, how much later a viewer has its frames than a bare tail of the log, which does nothing, has
 * its record. LMDB; appends, tail, gateway and viewer are in one process, so each holds up the other.
 */
export async function benchLive({ quick, progress }: Run): Promise<BenchTable> {
  const seconds = quick ? 1 : 20;
  progress(`${PER_S} uploads/s for ${seconds} s`);
  const { added, bare } = await measure(seconds);
  const at = (values: readonly number[], share: number): number =>
    quantile(
      values.toSorted((a, b) => a - b),
      share,
    );
  const goals = (
    [
      [0.5, undefined],
      [0.99, { atMost: 1 }],
    ] as const
  ).map(
    ([share, bound]): Goal => ({
      what: `p${share * 100}, added to a bare tail of the log (against ${LATE_MS} ms)`,
      measured: `${at(added, share).toFixed(2)} ms`,
      baseline: `${at(bare, share).toFixed(2)} ms after the append began`,
      ratio: at(added, share) / LATE_MS,
      bound,
    }),
  );
  return goalTable(`${PER_S} uploads/s of ${BODY_BYTES / 1000} KB for ${seconds} s, one viewer`, goals);
}

async function measure(seconds: number): Promise<{ readonly added: readonly number[]; readonly bare: readonly number[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'playhead-bench-'));
  const log = await openLmdbLog({ path: folder, partitions: 1, codec: avroCodec });
  const app = Fastify();
  const stop = new AbortController();
  const begunAt: number[] = [];
  const tailedAt = new Map<number, number>();
  const shownAt = new Map<number, number>();
  try {
    const sessionId = uuidv7(Date.now(), randomBytes(10));
    await registerLiveGateway(app, {
      log,
      blocks: memoryBlocks(),
      catalog: memoryCatalog(),
      projects: { projectOfWriteKey: () => PROJECT, viewerOfToken: () => ({ projectId: PROJECT, viewer: 'bench' }) },
      clock: systemClock,
      randomBytes: (count) => randomBytes(count),
      logger: silentLogger,
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    await log.append('playhead.sessions', 0, sessionId, aSessionStarted({ projectId: PROJECT, sessionId }));
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/sessions/${sessionId}/live?from=start&token=any`, {
      perMessageDeflate: false,
    });
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) return;
      const now = performance.now();
      for (const { position } of decodeFramesMessage(new Uint8Array(data)).frames)
        if (!shownAt.has(position.offset)) shownAt.set(position.offset, now);
    });
    await once(socket, 'open');
    const tail = (async () => {
      for await (const { records } of log.read('playhead.uploads', 0, toOffset(0), { signal: stop.signal })) {
        const now = performance.now();
        for (const { offset } of records) tailedAt.set(offset, now);
      }
    })();
    const bodies = makeBodies(64, BODY_BYTES);
    const offsets: number[] = [];
    const total = PER_S * seconds;
    const began = performance.now();
    const appends: Promise<void>[] = [];
    for (let number = 0; number < total; number++) {
      const due = began + (number * 1000) / PER_S;
      while (performance.now() < due) await sleep(1);
      const { bytes } = bodies[number % bodies.length] ?? { bytes: new Uint8Array() };
      const upload = anUpload({
        projectId: PROJECT,
        sessionId,
        counter: null,
        uploadId: `u${number}`,
        format: 'frame-bundle',
        codec: 'gzip',
        epochMs: Date.now(),
        receivedAtMs: Date.now(),
        body: bytes,
      });
      const begin = performance.now();
      appends.push(
        log.append('playhead.uploads', 0, sessionId, upload).then((offset) => {
          offsets.push(offset);
          begunAt[offset] = begin;
        }),
      );
    }
    await Promise.all(appends);
    for (let waited = 0; shownAt.size < total && waited < 20_000; waited += 20) await sleep(20);
    if (shownAt.size < total) throw new Error(`the viewer got ${shownAt.size} of ${total} uploads`);
    socket.terminate();
    stop.abort();
    await tail;
    // The first second is for the compiler.
    const counted = offsets.filter((offset) => offset >= (seconds > 2 ? PER_S : 0));
    return {
      added: counted.map((offset) => (shownAt.get(offset) ?? Number.NaN) - (tailedAt.get(offset) ?? Number.NaN)),
      bare: counted.map((offset) => (tailedAt.get(offset) ?? Number.NaN) - (begunAt[offset] ?? Number.NaN)),
    };
  } finally {
    await app.close();
    await log.close();
    await rm(folder, { recursive: true, force: true });
  }
}
