import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Frame } from '@playhead/schemas';
import { encodeFrames, LIMITS, splitFrame } from '@playhead/schemas';
import { openDoor } from '../door-client.ts';
import { DOOR_FLAGS, DOOR_FLAGS_HELP, doorOf } from '../door-flags.ts';
import { framesOfEvents, parseRecording } from './recording.ts';

const HELP = `Turns an rrweb recording (a JSON array of events, or one a line) into a session of a running server.

  npm run import -- FILE.json [flags]

${DOOR_FLAGS_HELP}
`;

/** Payload bytes of one upload. */
const UPLOAD_BYTES = LIMITS.framePartBytesMax;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: DOOR_FLAGS, allowPositionals: true });
  const file = positionals[0];
  if (values.help || file === undefined) {
    process.stdout.write(HELP);
    if (!values.help) process.exitCode = 2;
    return;
  }
  const frames = framesOfEvents(parseRecording(await readFile(file, 'utf8')));
  const { url, key } = await doorOf(values);
  const door = openDoor(url, key);
  const { sessionId } = await door.start({
    source: 'import',
    startedAtMs: frames[0]?.timestampMs ?? 0,
    facts: { file: file.split(/[/\\]/).at(-1) ?? file },
  });
  let counter = 0;
  for (const upload of uploadsOf(frames)) {
    const body = new Uint8Array(gzipSync(encodeFrames(upload)));
    await door.upload(
      sessionId,
      { window: 'import', upload: `upload-${counter}`, counter, format: 'frames', codec: 'gzip', sentAtMs: Date.now() },
      body,
    );
    counter++;
  }
  await door.end(sessionId);
  const seconds = ((frames.at(-1)?.timestampMs ?? 0) - (frames[0]?.timestampMs ?? 0)) / 1000;
  process.stdout.write(
    `${frames.length} frames (DOM and signals) over ${seconds.toFixed(1)} s, in ${counter} uploads. Replay it:\n  ${url}/sessions/${sessionId}\n`,
  );
}

/** Runs of frames of UPLOAD_BYTES each; a larger frame goes in parts. */
function* uploadsOf(frames: readonly Frame[]): Generator<Frame[]> {
  let upload: Frame[] = [];
  let bytes = 0;
  for (const frame of frames.flatMap((whole) => (whole.track === 'dom' ? splitFrame(whole) : [whole]))) {
    if (upload.length > 0 && bytes + frame.payload.length > UPLOAD_BYTES) {
      yield upload;
      upload = [];
      bytes = 0;
    }
    upload.push(frame);
    bytes += frame.payload.length;
  }
  if (upload.length > 0) yield upload;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
