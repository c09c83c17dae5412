import type { LineRate } from '@playhead/testkit';
import { lineRate } from '@playhead/testkit';

/** How much a process said in a stretch of time. */
export interface Said extends LineRate {
  /** Each message, and how often it was said. */
  readonly messages: Readonly<Record<string, number>>;
}

/** What of a log in JSON lines was said from `fromMs` to `toMs` (Unix ms). */
export function said(log: string, fromMs: number, toMs: number): Said {
  const times: number[] = [];
  const messages: Record<string, number> = {};
  for (const line of log.split('\n')) {
    if (!line.startsWith('{')) continue;
    const { time, msg } = JSON.parse(line) as { readonly time: number; readonly msg: string };
    if (time < fromMs || time > toMs) continue;
    times.push(time);
    messages[msg] = (messages[msg] ?? 0) + 1;
  }
  return { ...lineRate(times, fromMs, toMs), messages };
}
