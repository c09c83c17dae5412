import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { noContainers } from '@playhead/containers';
import { ROLES } from './cluster.ts';
import type { Deployment } from './deployment.ts';
import { untilUp } from './deployment.ts';
import { freePorts } from './server-process.ts';

const FILE = join(import.meta.dirname, '..', '..', 'infra', 'docker-compose.yml');
const UP_S_MAX = '180';

/** Why the compose file cannot be tried here; '' when it can. */
export const noCompose =
  noContainers || (spawnSync('docker', ['compose', 'version']).status === 0 ? '' : '`docker compose` does not answer on this machine');

export interface Compose extends Deployment {
  /** Runs `docker compose` with `args` on this project; answers what it printed. */
  compose(...args: readonly string[]): Promise<string>;
}

/**
 * `docker compose up --wait` with infra/docker-compose.yml as it is, under a name and at ports of its own. Images are the variables of
 * this process; where `PLAYHEAD_IMAGE` is not set, ours is built.
 */
export async function openCompose(): Promise<Compose> {
  const [port = 0, shopPort = 0, clickhousePort = 0] = await freePorts(3);
  const own = { PLAYHEAD_PORT: port, PLAYHEAD_SHOP_PORT: shopPort, PLAYHEAD_CLICKHOUSE_PORT: clickhousePort };
  const env = { ...process.env, ...Object.fromEntries(Object.entries(own).map(([name, value]) => [name, String(value)])) };
  const run = promisify(execFile);
  const compose = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run('docker', ['compose', '-p', `playhead-test-${port}`, '-f', FILE, ...args], {
      env,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  };
  const close = async (): Promise<void> => void (await compose('down', '--volumes', '--timeout', '1'));
  const [url, shopUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${shopPort}/`];
  const up = async (): Promise<string> => {
    await compose('up', '--wait', '--wait-timeout', UP_S_MAX);
    const link = /https?:\/\/\S+\?token=\S+/.exec(await compose('logs', '--no-log-prefix', 'player'))?.[0];
    if (link === undefined) throw new Error('no sign-in link in the logs of the player');
    // One answer of each role: the proxy asks every second who is ready.
    await untilUp(`${url}/openapi.json`, `${url}/v1/sessions${new URL(link).search}`, `${url}/v1/app-config`, shopUrl);
    return link;
  };
  try {
    const link = await up();
    return {
      url,
      link,
      shopUrl,
      compose,
      kill: async () => void (await compose('kill', ...ROLES)),
      async stop() {
        await compose('stop', ...ROLES);
        const codes = await compose('ps', '--all', '--format', '{{.Service}} {{.ExitCode}}', ...ROLES);
        return codes
          .trim()
          .split('\n')
          .every((line) => line.endsWith(' 0'));
      },
      start: async () => void (await up()),
      close,
    };
  } catch (error) {
    const logs = await compose('logs', '--tail', '20').catch(() => '');
    await close();
    throw new Error(`docker compose up --wait failed:\n${logs}`, { cause: error });
  }
}
