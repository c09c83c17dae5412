import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { readProjects } from '@playhead/server/data-directory';
import type { OneProcess } from '../deployment.ts';
import type { OutageTarget } from './outage.ts';

/** One process whose blocks are away: their directory is renamed. Its log and its catalog are in the process and cannot be away without it. */
export async function oneProcessTarget(server: OneProcess, partitions: number): Promise<OutageTarget> {
  const { projects } = await readProjects(server.data);
  const [here, away] = [join(server.data, 'blocks'), join(server.data, 'blocks.away')];
  let isHere = true;
  const move = async (back: boolean): Promise<void> => {
    if (back === isHere) return;
    await (back ? rename(away, here) : rename(here, away));
    isHere = back;
  };
  return {
    url: server.url,
    writeKey: projects[0]?.writeKey ?? '',
    token: projects[0]?.viewers[0]?.token ?? '',
    partitions,
    processes: [{ name: 'one process', url: server.url, pid: server.pid, log: () => server.log() }],
    store: { pause: () => move(false), unpause: () => move(true) },
  };
}
