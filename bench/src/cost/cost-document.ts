import type { BenchTable } from '../table.ts';
import { printed } from '../table.ts';
import type { Cost, Installation } from './cost-model.ts';
import { costOf } from './cost-model.ts';
import type { Kind } from './figures.ts';
import { DISK, FLUSH_AGES_S, GOAL, hourOf, KINDS, LOADS, MINUTES, MONTHS_KEPT, PEAK, PRICES, REPLAYS } from './figures.ts';

type Table = Omit<BenchTable, 'about'>;

/** The figures of docs/cost.md, as Markdown: all that is computed there, and nothing else. */
export function costDocument(): string {
  const parts = [printed(sessionHours()), ...KINDS.map((kind) => `### ${kind}, blocks in S3, $ a month\n\n${printed(inS3(kind))}`)];
  return [...parts, `### One process, blocks on its own disk, $ a month\n\n${printed(onDisk())}`].join('\n\n');
}

function sessionHours(): Table {
  return {
    columns: ['an hour of', 'uploads', 'sent', 'at rest', 'at rest after the merge', 'objects after the merge', 'CPU'],
    rows: KINDS.map((kind) => {
      const { uploads, bytesUploaded, bytesAtRest, merged, cpuSeconds } = hourOf(kind, FLUSH_AGES_S[0]);
      const sizes = [bytesUploaded, bytesAtRest, merged.bytes].map((bytes) => `${(bytes / 1e6).toFixed(2)} MB`);
      return [kind, String(uploads), ...sizes, String(merged.objects), `${cpuSeconds.toFixed(1)} s`];
    }),
  };
}

function inS3(kind: Kind): Table {
  const rows = LOADS.flatMap(({ sessionsPerMonth, partitions, hasGoal }) =>
    FLUSH_AGES_S.map((flushAgeS) => {
      const hour = hourOf(kind, flushAgeS);
      const base = {
        sessionsPerMonth,
        partitions,
        flushAgeS,
        sessionMinutes: MINUTES,
        monthsKept: MONTHS_KEPT,
        replays: REPLAYS,
        peak: PEAK,
      };
      const cost = (change: Partial<Installation>): Cost =>
        costOf(hour, { ...base, isMerged: false, isAlwaysInUse: false, ...change }, PRICES);
      const { puts, gets, storedGb, requests, storage, compute, total } = cost({});
      return [
        amount(sessionsPerMonth),
        String(partitions),
        `${flushAgeS} s`,
        amount(puts),
        amount(gets),
        gigabytes(storedGb),
        ...[requests, storage, compute, total].map(dollars),
        hasGoal ? (total <= GOAL ? 'yes' : 'missed') : '–',
        dollars(cost({ isAlwaysInUse: true }).total),
        dollars(cost({ isMerged: true }).total),
      ];
    }),
  );
  const columns = ['sessions', 'partitions', 'flush age', 'PUTs', 'GETs', 'stored', 'requests', 'storage', 'compute', 'total'];
  return { columns: [...columns, `≤ ${dollars(GOAL)}`, 'partitions always in use', 'merged'], rows };
}

function onDisk(): Table {
  const rows = KINDS.flatMap((kind) =>
    LOADS.filter(({ partitions }) => partitions > 1).map(({ sessionsPerMonth, hasGoal }) => {
      const storedGb = (((sessionsPerMonth * MINUTES) / 60) * MONTHS_KEPT * hourOf(kind, FLUSH_AGES_S[0]).bytesAtRest) / 1e9;
      const total = storedGb * DISK.storedGb;
      return [kind, amount(sessionsPerMonth), gigabytes(storedGb), dollars(total), hasGoal ? (total <= GOAL ? 'yes' : 'missed') : '–'];
    }),
  );
  return { columns: ['sessions of', 'sessions', 'stored', 'total', `≤ ${dollars(GOAL)}`], rows };
}

/** For a reader: three digits. */
function amount(count: number): string {
  if (count >= 1e6) return `${Number((count / 1e6).toPrecision(3))} M`;
  return count >= 1e3 ? `${Number((count / 1e3).toPrecision(3))} k` : count.toFixed(0);
}

function gigabytes(gb: number): string {
  return `${gb.toFixed(gb < 100 ? 1 : 0)} GB`;
}

function dollars(value: number): string {
  return `$${value.toFixed(2)}`;
}
