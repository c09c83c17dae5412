import process from 'node:process';
import { parseArgs } from 'node:util';
import { DECODERS } from './decoders.ts';
import type { Finding } from './fuzz.ts';
import { fuzz } from './fuzz.ts';

const HELP = `Lets every decoder of foreign bytes read damaged bytes, and says which of them breaks a promise.

  npm run fuzz -- [flags]

  --seed N          the same seed makes the same bytes (1)
  --runs N          damaged inputs for each decoder (10000)
  --decoder NAME    only this one; may be given more than once
  --bytes HEX       read these bytes, with --decoder: replays what was found

Decoders: ${DECODERS.map(({ name }) => name).join(', ')}
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '10000' },
      decoder: { type: 'string', multiple: true, default: [] },
      bytes: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = values.decoder.filter((name) => !DECODERS.some((decoder) => decoder.name === name));
  if (values.help || unknown.length > 0) {
    process.stdout.write(unknown.length > 0 ? `no decoder ${unknown.join(', ')}\n\n${HELP}` : HELP);
    if (!values.help) process.exitCode = 2;
    return;
  }
  const seed = Number(values.seed);
  const runs = Number(values.runs);
  const findings = await fuzz({
    table: new URL('decoders.ts', import.meta.url),
    seed,
    runs,
    names: values.decoder,
    ...(values.bytes === undefined ? {} : { replay: new Uint8Array(Buffer.from(values.bytes, 'hex')) }),
    onDecoder: (name) => process.stdout.write(`${name}\n`),
    onFinding: tell(seed),
  });
  process.stdout.write(`seed ${seed}, ${runs} runs each: ${findings.length} found\n`);
  if (findings.length > 0) process.exitCode = 1;
}

function tell(seed: number): (finding: Finding) => void {
  return ({ decoder, what, bytes }) => {
    const hex = Buffer.from(bytes).toString('hex');
    process.stdout.write(
      `${decoder}: ${what}\n  seed ${seed}, ${bytes.length} bytes; again: npm run fuzz -- --decoder ${decoder} --bytes ${hex}\n`,
    );
  };
}

await main();
