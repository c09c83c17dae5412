/** How much a process said in a stretch of time. */
export interface Said {
  readonly lines: number;
  /** Lines in the busiest second. */
  readonly mostInASecond: number;
  /** The longest time without a line. */
  readonly longestSilenceMs: number;
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
  let [mostInASecond, longestSilenceMs, first] = [0, 0, 0];
  for (const [at, time] of times.entries()) {
    while ((times[first] ?? time) <= time - 1000) first++;
    mostInASecond = Math.max(mostInASecond, at - first + 1);
  }
  for (const [at, time] of [...times, toMs].entries()) longestSilenceMs = Math.max(longestSilenceMs, time - (times[at - 1] ?? fromMs));
  return { lines: times.length, mostInASecond, longestSilenceMs, messages };
}
