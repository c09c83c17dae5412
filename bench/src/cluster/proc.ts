import { readFileSync } from 'node:fs';

/** Linux counts the time of processes in hundredths of a second, whatever its own clock does. */
const TICKS_PER_S = 100;
/** Of the fields behind the name of the process. */
const UTIME = 11;
const STIME = 12;

/** CPU-seconds that a process has used since it began, in user and kernel mode, all of its threads. Linux only. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name is in parentheses and may contain anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_S;
}

/** What a process holds in memory, MB of 10^6 bytes: without the pages of files that it maps, which the system keeps for as long as it likes. Linux only. */
export function residentMb(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}
