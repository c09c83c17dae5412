import { readFile, writeFile } from 'node:fs/promises';

/**
 * The most memory that a process held since `forgetPeak` (or its start), in MB: VmHWM of /proc. Undefined where there is no /proc, and for a
 * process that is gone.
 */
export async function peakMb(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  try {
    const kb = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kb === undefined ? undefined : Math.round(Number(kb) / 1024);
  } catch {
    return undefined;
  }
}

/** Lets the peak of a process begin anew at what it holds now. */
export async function forgetPeak(pid: number | undefined): Promise<void> {
  if (pid !== undefined) await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined);
}
