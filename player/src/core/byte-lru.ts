/** Keeps what was used last, within a number of bytes. The newest entry always stays, however large it is. */
export class ByteLru<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly bytes: number }>();
  readonly #bytesMax: number;
  readonly #dispose: (value: Value) => void;
  #bytes = 0;

  /** @param dispose called once for every value that leaves */
  constructor(bytesMax: number, dispose: (value: Value) => void = () => undefined) {
    this.#bytesMax = bytesMax;
    this.#dispose = dispose;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: string, value: Value, bytes: number): void {
    this.#drop(key);
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax || oldest === key) return;
      this.#drop(oldest);
    }
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.#drop(key);
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.#dispose(entry.value);
  }
}
