/**
 * Inflate (RFC 1951) that keeps what it has when the input ends, is damaged or gives too much. zlib drops the output of
 * the call in which it fails; a salvage needs every byte before the fault. Used for bodies that zlib refused only.
 *
 * Codes are looked up by their first FAST_BITS bits; the few longer ones are found by counting (as in zlib's puff.c), so
 * that a block of hostile tables costs no more to prepare than it has bytes to pay with.
 */
export type InflateStop = 'end' | 'truncated' | 'corrupt' | 'full';

/** Growing output with a hard bound. */
export class BoundedOutput {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  readonly limit: number;

  constructor(limit: number, capacity: number) {
    this.limit = limit;
    this.bytes = new Uint8Array(Math.min(limit, Math.max(1024, capacity)));
  }

  /** Makes room for `count` more bytes, or for as many as the bound allows. */
  reserve(count: number): void {
    const needed = Math.min(this.limit, this.length + count);
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.min(this.limit, Math.max(needed, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

const FAST_BITS = 9;
const FAST_SIZE = 1 << FAST_BITS;
const CODE_BITS_MAX = 15;
/** Symbols between two pauses. */
const TURN_SYMBOLS = 65_536;
const END_OF_BLOCK = 256;
const MATCH_MAX = 258;

const LENGTH_BASE = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385,
  24577,
];
const DISTANCE_EXTRA = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Thrown inside of this file, never out of it. */
class Stop {
  readonly reason: Exclude<InflateStop, 'end'>;
  constructor(reason: Exclude<InflateStop, 'end'>) {
    this.reason = reason;
  }
}

/**
 * Inflates one deflate stream from `input[at]` on into `output`; yields now and then, so that the caller may pause.
 *
 * @returns why it stopped, and the place of the first byte behind the stream when that is `end`
 */
export function* inflateRaw(input: Uint8Array, at: number, output: BoundedOutput): Generator<void, { stop: InflateStop; at: number }> {
  const stream = new BitStream(input, at);
  // Distances reach back into this stream only, not into a gzip member before it.
  const begin = output.length;
  try {
    for (let last = false; !last; ) {
      yield;
      last = stream.bits(1) === 1;
      const type = stream.bits(2);
      if (type === 0) copyStored(stream, output);
      else if (type === 3) throw new Stop('corrupt');
      else {
        const codes = type === 1 ? FIXED : readCodes(stream);
        while (!inflateSymbols(stream, output, begin, codes)) yield;
      }
    }
  } catch (stop) {
    if (!(stop instanceof Stop)) throw stop;
    return { stop: stop.reason, at: stream.at };
  }
  stream.toByte();
  return { stop: 'end', at: stream.at };
}

class BitStream {
  readonly input: Uint8Array;
  at: number;
  /** Bits read ahead, the next one lowest. */
  held = 0;
  count = 0;

  constructor(input: Uint8Array, at: number) {
    this.input = input;
    this.at = at;
  }

  /** Holds `count` bits if the input has them. Bounds: 0 .. 24. */
  fill(count: number): void {
    while (this.count < count && this.at < this.input.length) {
      this.held |= this.input[this.at++]! << this.count;
      this.count += 8;
    }
  }

  bits(count: number): number {
    if (this.count < count) {
      this.fill(count);
      if (this.count < count) throw new Stop('truncated');
    }
    const value = this.held & ((1 << count) - 1);
    this.held >>>= count;
    this.count -= count;
    return value;
  }

  symbol(code: Code): number {
    if (this.count < CODE_BITS_MAX) this.fill(CODE_BITS_MAX);
    const entry = code.fast[this.held & (FAST_SIZE - 1)]!;
    const length = entry & 15;
    if (entry !== 0 && length <= this.count) {
      this.held >>>= length;
      this.count -= length;
      return entry >>> 4;
    }
    return this.#longSymbol(code);
  }

  /** Bit by bit, counting how many codes of each length lie before. */
  #longSymbol(code: Code): number {
    let value = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length++) {
      if (length > this.count) throw new Stop('truncated');
      value |= (this.held >>> (length - 1)) & 1;
      const count = code.counts[length]!;
      if (value - count < first) {
        this.held >>>= length;
        this.count -= length;
        return code.symbols[index + value - first]!;
      }
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    throw new Stop('corrupt');
  }

  /** Goes to the next byte; whole bytes read ahead are given back. */
  toByte(): void {
    this.at -= this.count >>> 3;
    this.held = 0;
    this.count = 0;
  }
}

/** A canonical Huffman code. */
interface Code {
  /** By the next FAST_BITS bits: `symbol << 4 | length`; 0 where the code is longer or none. */
  readonly fast: Uint16Array;
  /** Codes of each length. */
  readonly counts: Uint16Array;
  /** In order of code. */
  readonly symbols: Uint16Array;
}

interface Codes {
  readonly literals: Code;
  readonly distances: Code;
}

/** @param mayBeIncomplete as zlib allows: a single code of one bit, or none */
function makeCode(lengths: Uint8Array, mayBeIncomplete: boolean): Code {
  const counts = new Uint16Array(CODE_BITS_MAX + 1);
  for (const length of lengths) counts[length]!++;
  const used = lengths.length - counts[0]!;
  counts[0] = 0;
  let left = 1;
  for (let length = 1; length <= CODE_BITS_MAX; length++) {
    left = left * 2 - counts[length]!;
    if (left < 0) throw new Stop('corrupt');
  }
  if (left > 0 && !(mayBeIncomplete && used === counts[1])) throw new Stop('corrupt');

  const starts = new Uint16Array(CODE_BITS_MAX + 2);
  const nextCode = new Uint16Array(CODE_BITS_MAX + 2);
  for (let length = 1; length <= CODE_BITS_MAX; length++) {
    starts[length + 1] = starts[length]! + counts[length]!;
    nextCode[length + 1] = (nextCode[length]! + counts[length]!) << 1;
  }
  const symbols = new Uint16Array(used);
  const fast = new Uint16Array(FAST_SIZE);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length === 0) continue;
    symbols[starts[length]!++] = symbol;
    const value = nextCode[length]!++;
    if (length > FAST_BITS) continue;
    let reversed = 0;
    for (let bit = 0; bit < length; bit++) reversed |= ((value >>> bit) & 1) << (length - 1 - bit);
    for (let i = reversed; i < FAST_SIZE; i += 1 << length) fast[i] = (symbol << 4) | length;
  }
  return { fast, counts, symbols };
}

const FIXED: Codes = {
  literals: makeCode(new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280), false),
  // 30 and 31 take part in the code and never occur.
  distances: makeCode(new Uint8Array(32).fill(5), false),
};

function readCodes(stream: BitStream): Codes {
  const literalCount = stream.bits(5) + 257;
  const distanceCount = stream.bits(5) + 1;
  const lengthCount = stream.bits(4) + 4;
  if (literalCount > 286 || distanceCount > 30) throw new Stop('corrupt');
  const codeLengths = new Uint8Array(19);
  for (let i = 0; i < lengthCount; i++) codeLengths[CODE_LENGTH_ORDER[i]!] = stream.bits(3);
  const code = makeCode(codeLengths, false);
  const lengths = new Uint8Array(literalCount + distanceCount);
  for (let i = 0; i < lengths.length; ) {
    const symbol = stream.symbol(code);
    if (symbol < 16) {
      lengths[i++] = symbol;
      continue;
    }
    if (symbol === 16 && i === 0) throw new Stop('corrupt');
    const value = symbol === 16 ? lengths[i - 1]! : 0;
    const repeat = symbol === 16 ? 3 + stream.bits(2) : symbol === 17 ? 3 + stream.bits(3) : 11 + stream.bits(7);
    if (i + repeat > lengths.length) throw new Stop('corrupt');
    lengths.fill(value, i, i + repeat);
    i += repeat;
  }
  if (lengths[END_OF_BLOCK] === 0) throw new Stop('corrupt');
  return { literals: makeCode(lengths.subarray(0, literalCount), true), distances: makeCode(lengths.subarray(literalCount), true) };
}

function copyStored(stream: BitStream, output: BoundedOutput): void {
  stream.toByte();
  const length = stream.bits(16);
  if ((stream.bits(16) ^ length) !== 0xffff) throw new Stop('corrupt');
  stream.toByte();
  const there = stream.input.subarray(stream.at, stream.at + length);
  output.reserve(there.length);
  const room = output.limit - output.length;
  const taken = there.subarray(0, room);
  output.bytes.set(taken, output.length);
  output.length += taken.length;
  stream.at += there.length;
  if (there.length > room) throw new Stop('full');
  if (there.length < length) throw new Stop('truncated');
}

/** Inflates symbols of one block. True at its end; false when it is time for a pause. */
function inflateSymbols(stream: BitStream, output: BoundedOutput, begin: number, { literals, distances }: Codes): boolean {
  for (let i = 0; i < TURN_SYMBOLS; i++) {
    const symbol = stream.symbol(literals);
    if (symbol === END_OF_BLOCK) return true;
    if (output.length + MATCH_MAX > output.bytes.length) output.reserve(MATCH_MAX);
    if (symbol < END_OF_BLOCK) {
      if (output.length === output.limit) throw new Stop('full');
      output.bytes[output.length++] = symbol;
      continue;
    }
    const lengthCode = symbol - END_OF_BLOCK - 1;
    if (lengthCode >= LENGTH_BASE.length) throw new Stop('corrupt');
    const length = LENGTH_BASE[lengthCode]! + stream.bits(LENGTH_EXTRA[lengthCode]!);
    const distanceCode = stream.symbol(distances);
    if (distanceCode >= DISTANCE_BASE.length) throw new Stop('corrupt');
    const distance = DISTANCE_BASE[distanceCode]! + stream.bits(DISTANCE_EXTRA[distanceCode]!);
    if (distance > output.length - begin) throw new Stop('corrupt');
    const { bytes } = output;
    const end = Math.min(output.length + length, output.limit);
    for (let at = output.length; at < end; at++) bytes[at] = bytes[at - distance]!;
    const overflows = output.length + length > output.limit;
    output.length = end;
    if (overflows) throw new Stop('full');
  }
  return false;
}
