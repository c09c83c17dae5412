import * as fc from 'fast-check';

/** Bytes that are not grown beyond: a run has to stay quick. What large inputs cost is measured by `cost.ts`. */
const BYTES_MAX = 64 * 1024;

/** Numbers at which a length, a count or an offset may go wrong. */
const EXTREMES = [0, 1, 2, 127, 128, 255, 256, 32_767, 65_535, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 50, 2 ** 53 - 1, 2 ** 53];

/** One damage. Places count modulo the length, so that any number is one. */
export type Damage =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'number'; readonly at: number; readonly width: number; readonly value: number; readonly littleEndian: boolean }
  | { readonly kind: 'varint'; readonly at: number; readonly value: number; readonly insert: boolean }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number; readonly times: number }
  | { readonly kind: 'splice'; readonly at: number; readonly sample: number; readonly from: number; readonly length: number }
  | { readonly kind: 'noise'; readonly at: number; readonly noise: Uint8Array; readonly insert: boolean };

/** Damaged bytes: a sample, and what is done to it in turn. */
export interface Case {
  readonly sample: number;
  readonly damages: readonly Damage[];
  /** Whether checksums are written anew behind the damage. */
  readonly sealed: boolean;
}

const place = fc.nat(BYTES_MAX);
const short = fc.integer({ min: 1, max: 64 });

const anyDamage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({
    kind: fc.constant('number' as const),
    at: place,
    width: fc.constantFrom(1, 2, 4, 8),
    value: fc.constantFrom(...EXTREMES),
    littleEndian: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('varint' as const), at: place, value: fc.constantFrom(...EXTREMES), insert: fc.boolean() }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('remove' as const), at: place, length: short }),
  fc.record({ kind: fc.constant('repeat' as const), at: place, length: fc.nat(4096), times: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('splice' as const), at: place, sample: fc.nat(31), from: place, length: fc.nat(4096) }),
  fc.record({ kind: fc.constant('noise' as const), at: place, noise: fc.uint8Array({ maxLength: 64 }), insert: fc.boolean() }),
);

export const anyCase: fc.Arbitrary<Case> = fc.record({
  sample: fc.nat(31),
  damages: fc.array(anyDamage, { maxLength: 6 }),
  sealed: fc.boolean(),
});

/** The bytes of a case. */
export function damagedBytes({ sample, damages }: Case, samples: readonly Uint8Array[]): Uint8Array {
  return damages.reduce((bytes, damage) => damaged(bytes, damage, samples), sampleAt(samples, sample));
}

export function sampleAt<T>(samples: readonly T[], number: number): T {
  return samples[number % samples.length] as T;
}

function damaged(bytes: Uint8Array, damage: Damage, samples: readonly Uint8Array[]): Uint8Array {
  const at = damage.at % (bytes.length + 1);
  switch (damage.kind) {
    case 'flip': {
      const copy = bytes.slice();
      if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << damage.bit);
      return copy;
    }
    case 'number':
      return spliced(bytes, at, damage.width, numberBytes(damage.value, damage.width, damage.littleEndian));
    case 'varint': {
      const written = varintBytes(damage.value);
      return spliced(bytes, at, damage.insert ? 0 : written.length, written);
    }
    case 'cut':
      return bytes.slice(0, at);
    case 'remove':
      return spliced(bytes, at, damage.length, new Uint8Array());
    case 'repeat': {
      const piece = bytes.subarray(at, at + damage.length);
      return spliced(bytes, at, 0, ...Array.from({ length: damage.times }, () => piece));
    }
    case 'splice': {
      const other = sampleAt(samples, damage.sample);
      const from = damage.from % (other.length + 1);
      return spliced(bytes, at, damage.length, other.subarray(from, from + damage.length));
    }
    case 'noise':
      return spliced(bytes, at, damage.insert ? 0 : damage.noise.length, damage.noise);
    default:
      return damage satisfies never;
  }
}

/** `bytes` with `removed` bytes at `at` replaced. */
function spliced(bytes: Uint8Array, at: number, removed: number, ...added: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), ...added, bytes.subarray(at + removed)])).subarray(0, BYTES_MAX);
}

function numberBytes(value: number, width: number, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  const number = bytes.subarray(8 - width);
  return littleEndian ? number.toReversed() : number;
}

/** Unsigned LEB128, of 2^53 too, which no writer of ours writes. */
function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    if (rest < 0x80n) return Uint8Array.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}
