import { BytesFault, decodeFrames } from '@playhead/schemas';
import type { Decoder } from '../src/decoder.ts';
import { bodiesOf, CONTEXT, samplesOf } from '../src/samples.ts';

/** Decoders that break what they promise, each in its way: the harness has to find every one. */
const MARK = 0xaa;

function plant(name: string, decode: Decoder['decode'], more: Partial<Decoder> = {}): Decoder {
  const promises = { covers: [], faults: [BytesFault], memoryMax: () => 1024 * 1024, nasty: (bytes: number) => [new Uint8Array(bytes)] };
  return { name, samples: samplesOf(['a sample']), decode, ...promises, ...more };
}

function whenMarked(bytes: Uint8Array, run: () => void): Uint8Array {
  if (bytes.includes(MARK)) run();
  return bytes;
}

export const DECODERS: readonly Decoder[] = [
  plant('sound', (bytes) => whenMarked(bytes, () => undefined)),
  plant('crashing', (bytes) =>
    whenMarked(bytes, () => {
      throw new TypeError('planted');
    }),
  ),
  plant('unsound', (bytes) => bytes.length, {
    sound: (length: number) => {
      if (length > 20) throw new Error('more than 20');
    },
  }),
  plant('changing', (bytes) => whenMarked(bytes, () => bytes.fill(0))),
  plant('refusing', () => {
    throw new BytesFault('planted', 0);
  }),
  plant('losing', (bytes) => whenMarked(bytes, () => undefined) && losing(bytes), { samples: bodiesOf('frames'), salvages: true }),
  plant('hanging', (bytes) =>
    whenMarked(bytes, () => {
      for (;;);
    }),
  ),
  plant('hoarding', (bytes) =>
    whenMarked(bytes, () => {
      for (const kept: object[][] = []; ; ) kept.push(Array.from({ length: 1000 }, () => ({})));
    }),
  ),
  plant('swelling', (bytes) => new Uint8Array(64 * bytes.length + 64 * 1024 * 1024).fill(1)),
];

/** Forgets the frames before a fault. */
function losing(bytes: Uint8Array) {
  const { frames, fault } = decodeFrames(bytes, CONTEXT);
  return { frames: fault === null ? frames : [], fault };
}
