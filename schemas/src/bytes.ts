const TEXT_ENCODER = new TextEncoder();
/** The longest text that is written character by character: its length is one byte. */
const PLAIN_LENGTH_MAX = 0x7f;
/** A byte order mark is a character like others: what was written comes back. */
const TEXT_DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/** Growing byte buffer with the few number encodings that our formats use. Big-endian; varints are unsigned LEB128. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  /** Made when it is needed: most formats are of varints. */
  #lazyView: DataView | null = null;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get #view(): DataView {
    return (this.#lazyView ??= new DataView(this.#bytes.buffer));
  }

  get length(): number {
    return this.#length;
  }

  /** Grows when needed: take the place first, then ask for the buffer, which may be a new one. */
  #reserve(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#lazyView = null;
    }
    this.#length = needed;
    return at;
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
  }

  /** Bounds: 0 .. 2^53-1; a fraction is cut off. */
  u64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setUint32(at, Math.floor(value / 2 ** 32));
    this.#view.setUint32(at + 4, value % 2 ** 32);
  }

  f64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value);
  }

  /**
   * Bounds: 0 .. 2^53-1.
   *
   * @throws {RangeError} for anything else: it would be read back as another number
   */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a varint: ${value}`);
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  /** Small numbers of both signs: 0, -1, 1, -2, ... become 0, 1, 2, 3, ... Bounds: -2^52 .. 2^52-1. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Varint length, then UTF-8. */
  text(value: string): void {
    if (value.length <= PLAIN_LENGTH_MAX && this.#plain(value)) return;
    const bytes = TEXT_ENCODER.encode(value);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Writes a short text of ASCII, as ids are, without an array of its own. False for any other. */
  #plain(value: string): boolean {
    const at = this.#reserve(1 + value.length);
    this.#bytes[at] = value.length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) {
        this.#length = at;
        return false;
      }
      this.#bytes[at + 1 + i] = code;
    }
    return true;
  }

  /** Begins anew, in the same buffer. */
  clear(): void {
    this.#length = 0;
  }

  /** The bytes so far: a view, valid until the next write. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Thrown by {@link ByteReader} for bytes that end too soon or hold an impossible number. Decoders of foreign bytes catch it. */
export class BytesFault extends Error {
  override readonly name = 'BytesFault';
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** Reads what {@link ByteWriter} wrote. Every read is checked against the end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  /** Made when it is needed: most formats are of varints. */
  #lazyView: DataView | null = null;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get #view(): DataView {
    const { buffer, byteOffset, byteLength } = this.#bytes;
    return (this.#lazyView ??= new DataView(buffer, byteOffset, byteLength));
  }

  get at(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (!(count >= 0 && count <= this.#bytes.length - at)) throw new BytesFault(`needs ${count} bytes, has ${this.#bytes.length - at}`, at);
    this.#at = at + count;
    return at;
  }

  u8(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new BytesFault('needs 1 bytes, has 0', this.#at);
    this.#at++;
    return byte;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
    if (!Number.isSafeInteger(value)) throw new BytesFault('a 64-bit number is beyond 2^53', at);
    return value;
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  varint(): number {
    const start = this.#at;
    // Nearly all numbers are of one byte.
    let value = this.u8();
    if (value < 0x80) return value;
    value -= 0x80;
    let unit = 0x80;
    for (;;) {
      const byte = this.u8();
      if (byte < 0x80) {
        value += byte * unit;
        if (value > Number.MAX_SAFE_INTEGER) throw new BytesFault('a varint is beyond 2^53', start);
        return value;
      }
      value += (byte & 0x7f) * unit;
      unit *= 0x80;
      if (unit > 2 ** 53) throw new BytesFault('a varint has too many bytes', start);
    }
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view of the next bytes, no copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  skip(count: number): void {
    this.#take(count);
  }

  text(): string {
    return TEXT_DECODER.decode(this.raw(this.varint()));
  }
}
