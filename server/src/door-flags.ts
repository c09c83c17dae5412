import process from 'node:process';
import { readProjects } from './data-directory.ts';
import { SETTINGS } from './settings.ts';

/** Flags shared by the commands that talk to a running server. */
export const DOOR_FLAGS = {
  url: { type: 'string' },
  key: { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const DOOR_FLAGS_HELP = `  --url <origin>    Where the server listens. Default http://127.0.0.1:${SETTINGS.port.fallback}
  --key <key>       Write key of the project. Default: that of the data directory
  --data <path>     Data directory to take the key from. Default ${SETTINGS.data.fallback}
  -h, --help        This text.`;

/** The address and the keys: as given, else as the data directory of a local server has them. */
export async function doorOf(values: {
  readonly url?: string | undefined;
  readonly key?: string | undefined;
  readonly data?: string | undefined;
}): Promise<{ readonly url: string; readonly key: string }> {
  const url = values.url ?? `http://127.0.0.1:${process.env[SETTINGS.port.env] ?? SETTINGS.port.fallback}`;
  if (values.key !== undefined) return { url, key: values.key };
  const path = values.data ?? process.env[SETTINGS.data.env] ?? SETTINGS.data.fallback;
  const file = await readProjects(path).catch((error: unknown) => {
    throw new Error(`${path} holds no projects.json: start the server first (npm start), or say --key and --url`, { cause: error });
  });
  return { url, key: file.projects[0]?.writeKey ?? '' };
}
