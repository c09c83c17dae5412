import type { Frame } from '@playhead/schemas';

/** Bytes that a decoder reads without a fault. */
export interface Sample {
  readonly bytes: Uint8Array;
  /** Of an upload's body: its frames, and how many of them are whole in the first `bytes` bytes. */
  readonly body?: { readonly frames: readonly Frame[]; readonly wholeWithin: (bytes: number) => number };
}

export type ErrorClass = abstract new (...args: never[]) => Error;

/** A row of the table in `decoders.ts`: everything that is promised of one decoder of foreign bytes. */
export interface Decoder {
  readonly name: string;
  /** `<file> <function>` of what the row tries, its own helpers too. `complete.test.ts` compares them with the sources. */
  readonly covers: readonly string[];
  readonly samples: readonly Sample[];
  readonly decode: (bytes: Uint8Array) => unknown;
  /** The classes of the errors that it may throw. Any other error is a crash. */
  readonly faults: readonly ErrorClass[];
  /** Bytes that it may hold at a time besides its input of `bytes` bytes. */
  readonly memoryMax: (bytes: number) => number;
  /** Bytes that it reads of an input of `bytes` bytes, where they are more: what it inflates. */
  readonly readsMax?: (bytes: number) => number;
  /** Inputs of about `bytes` bytes that cost as much as such an input can: bombs, endless lists, lies about lengths. */
  readonly nasty: (bytes: number) => readonly Uint8Array[];
  /** Writes the checksums anew, so that damage gets behind them. */
  readonly seal?: (bytes: Uint8Array) => Uint8Array;
  /** Throws when an answer breaks what the decoder promises of it. */
  readonly sound?: (answer: never, bytes: Uint8Array) => unknown;
  /** One of so many runs is made: what goes through zlib's threads takes a thousand times longer than the rest. Default 1. */
  readonly runsDivisor?: number;
  /** Its answer is a DecodedBody: the whole frames before the damage have to come out. */
  readonly salvages?: true;
}
