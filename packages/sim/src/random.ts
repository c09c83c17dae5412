import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Everything random of a run comes from here, so that the seed is the run. */
export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  /** @param seed a whole number of 32 bits */
  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
  }

  /** from <= value <= to, whole. */
  int(from: number, to: number): number {
    return uniformInt(this.#generator, from, to);
  }

  /** 0 <= value < 1. */
  unit(): number {
    return uniformFloat64(this.#generator);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(items: readonly [T, ...T[]]): T;
  pick<T>(items: readonly T[]): T | undefined;
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.int(0, Math.max(0, items.length - 1))];
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.int(0, 255));
  }

  /** A stream of its own: what one part draws does not change what another part gets. */
  fork(): Random {
    return new Random(this.int(-0x80000000, 0x7fffffff));
  }
}
