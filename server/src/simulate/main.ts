import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openDoor } from '../door-client.ts';
import { DOOR_FLAGS, DOOR_FLAGS_HELP, doorOf } from '../door-flags.ts';
import type { PhoneTally } from './phone.ts';
import { playPhone } from './phone.ts';

const HELP = `Plays phones that upload pictures of their screens to a running server. Now and then one is in the background for some seconds:
a gap of its session. So are pictures that had to go because the server was away for too long.

  npm run simulate -- [flags]

  --sessions <n>    How many phones, 1 to 200. Default 5
  --seconds <n>     For how long, 1 to 3600. Default 60
  --seed <n>        The same seed plays the same phones. Default 1
${DOOR_FLAGS_HELP}
`;

const PROGRESS_MS = 1000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { ...DOOR_FLAGS, sessions: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const sessions = whole('--sessions', values.sessions ?? '5', 1, 200);
  const seconds = whole('--seconds', values.seconds ?? '60', 1, 3600);
  const seed = whole('--seed', values.seed ?? '1', 0, 2 ** 31);
  const { url, key } = await doorOf(values);
  const door = openDoor(url, key);

  const tally: PhoneTally = { frames: 0, acknowledged: 0, sentTwice: 0, outOfOrder: 0, dropped: 0, gaps: 0, bytes: 0 };
  const startedAt = Date.now();
  process.stdout.write(`${sessions} phones for ${seconds} s against ${url}\n`);
  const phones = Array.from({ length: sessions }, (_, phone) =>
    playPhone(
      door,
      {
        phone,
        seed: seed * 1000 + phone,
        durationMs: seconds * 1000,
        now: () => Date.now(),
        waitUntil: async (unixMs) => {
          await sleep(Math.max(0, unixMs - Date.now()));
        },
      },
      tally,
    ),
  );
  const show = (): void => {
    const elapsed = Math.min(seconds, Math.round((Date.now() - startedAt) / 1000));
    const line = `${String(elapsed).padStart(4)} s  ${tally.frames} pictures, ${tally.acknowledged} bundles acknowledged (${tally.sentTwice} sent twice, ${tally.outOfOrder} out of order), ${tally.gaps} gaps told${tally.dropped > 0 ? `, ${tally.dropped} pictures dropped` : ''}, ${(tally.bytes / 1e6).toFixed(1)} MB`;
    process.stdout.write(process.stdout.isTTY ? `\r${line}` : `${line}\n`);
  };
  const progress = setInterval(show, PROGRESS_MS);
  try {
    const ids = await Promise.all(phones);
    show();
    process.stdout.write(`\nDone. Replay them:\n${ids.map((id) => `  ${url}/sessions/${id}`).join('\n')}\n`);
  } finally {
    clearInterval(progress);
  }
}

function whole(flag: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < min || number > max) throw new Error(`${flag} must be a whole number from ${min} to ${max}`);
  return number;
}

main().catch((error: unknown) => {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
