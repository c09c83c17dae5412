import type { Catalog, PositionedFact, SignalRow } from '@playhead/ports';
import type { FlushBlock, SessionCounts, Signal } from '@playhead/schemas';
import { toOffset } from '@playhead/schemas';

/** Fills a catalog with some sessions of a small shop in the last hours: what the examples of docs/clickhouse.md are asked about. */
export async function fillShopWeek(catalog: Catalog, nowMs: number): Promise<void> {
  const visits = Array.from({ length: 12 }, (_, i) => visit(i, nowMs - (i + 1) * 3_600_000));
  await catalog.applyFacts(0, [...visits.map((one) => one.started), ...visits.flatMap((one) => one.ended)], toOffset(99));
  const first = visits.slice(0, 6);
  const second = visits.slice(6);
  const flush = { partition: 0, objectBytes: 9000, createdAtMs: nowMs, writer: 'example', gap: null } as const;
  await catalog.applyFlush(
    {
      ...flush,
      prevLastOffset: toOffset(-1),
      firstOffset: toOffset(0),
      lastOffset: toOffset(5),
      objectKey: 'p0/0-5',
      blocks: first.map((one) => one.block),
    },
    toOffset(1),
    first.flatMap((one) => one.signals),
  );
  const gap = { firstOffset: toOffset(6), lastOffset: toOffset(6) };
  const last = {
    ...flush,
    prevLastOffset: toOffset(5),
    firstOffset: toOffset(6),
    lastOffset: toOffset(11),
    objectKey: 'p0/6-11',
    gap,
    blocks: second.map((one) => one.block),
  };
  // Twice, as after a kill: the examples must not count anything twice.
  for (let i = 0; i < 2; i++) {
    const signals = second.flatMap((one) => one.signals);
    await catalog.applyFlush(last, toOffset(2), signals);
  }
  await catalog.recordView({ projectId: 'shop', sessionId: sessionIdOf(0), watchId: 'watch-1', viewer: 'ann', startedAtMs: nowMs });
}

interface Visit {
  readonly started: PositionedFact;
  readonly ended: readonly PositionedFact[];
  readonly block: FlushBlock;
  readonly signals: readonly SignalRow[];
}

const sessionIdOf = (i: number): string => `0197f000-0000-7000-8000-${String(i).padStart(12, '0')}`;

function visit(i: number, startMs: number): Visit {
  const sessionId = sessionIdOf(i);
  const offset = toOffset(i);
  const identity = { projectId: 'shop', sessionId };
  const facts = { browser: i % 3 === 0 ? 'Firefox' : 'Chrome', url: 'https://shop.example/cart', title: 'Cart' };
  const acts: Signal[] = [
    { kind: 'navigation', url: 'https://shop.example/' },
    { kind: 'navigation', url: 'https://shop.example/cart' },
    { kind: 'click', selector: '.checkout-btn', text: 'Checkout', url: 'https://shop.example/cart', x: 640, y: 360 },
  ];
  if (i % 2 === 0)
    acts.push({ kind: 'request', url: 'https://shop.example/api/pay', value: '500' }, { kind: 'error', text: 'payment is undefined' });
  if (i % 4 === 0) for (let click = 0; click < 3; click++) acts.push({ kind: 'click', selector: '.checkout-btn', text: 'Checkout' });
  if (i % 3 === 1) acts.push({ kind: 'navigation', url: 'https://shop.example/thanks' });
  if (i % 4 === 1) {
    const missing = { fromMs: startMs + 100, toMs: startMs + 40_000, frames: 35, bytes: 8_400_000 };
    acts.push(
      { kind: 'gap', reason: 'buffer_full', ...missing },
      { kind: 'gap', reason: 'background', fromMs: startMs, toMs: startMs + 20_000 },
    );
  }
  const of = (kind: Signal['kind']): number => acts.filter((signal) => signal.kind === kind).length;
  const counts: SessionCounts = {
    frames: acts.length + 2,
    images: 0,
    keyframes: 1,
    clicks: of('click'),
    inputs: 0,
    navigations: of('navigation'),
    consoles: 0,
    requests: of('request'),
    errors: of('error'),
    crashes: 0,
    customs: 0,
    gaps: of('gap'),
  };
  const lastMs = startMs + acts.length * 200;
  const block: FlushBlock = {
    ...identity,
    blockOffset: i * 700,
    blockLength: 700,
    firstOffset: offset,
    lastOffset: offset,
    firstTimestampMs: startMs,
    lastTimestampMs: lastMs,
    firstReceivedAtMs: lastMs + 50,
    lastReceivedAtMs: lastMs + 50,
    windows: ['window-1'],
    counts,
    uploads: 1,
    duplicates: 0,
    rejected: 0,
    bytesReceived: 1500,
    pages: acts.filter((signal) => signal.kind === 'navigation').map((signal) => signal.url ?? ''),
    facts,
    marks: Uint8Array.of(1, 0),
    frameIndex: Uint8Array.of(1),
  };
  return {
    started: { offset, fact: { kind: 'started', ...identity, startedAtMs: startMs, source: 'web', userId: `user-${i % 5}`, facts } },
    // The newest two are still there.
    ended: i < 2 ? [] : [{ offset: toOffset(50 + i), fact: { kind: 'ended', ...identity, endedAtMs: lastMs, reason: 'silence' } }],
    block,
    signals: acts.map((signal, index) => {
      const position = { offset, index };
      return { projectId: 'shop', sessionId, windowId: 'window-1', position, timestampMs: startMs + index * 200, signal };
    }),
  };
}
