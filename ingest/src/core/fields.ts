import { LIMITS, PlayheadError } from '@playhead/schemas';

/** What is wrong with a request, and where. */
export interface Problem {
  /** Name of the parameter or property; `facts.url` for one inside of another. */
  readonly path: string;
  readonly message: string;
}

/** Characters of a fact's name. */
export const FACT_NAME_CHARS_MAX = 64;

/**
 * Reads the fields of a request and gathers everything that is wrong with them, so that a person who writes a recorder
 * sees it all at once. A field that is absent reads as undefined and is no problem.
 */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #problems: Problem[] = [];

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** Own properties only: a parameter called `toString` is absent. */
  #value(name: string): unknown {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    return value === null ? undefined : value;
  }

  /** Notes a problem; undefined, to be returned. */
  wrong(path: string, message: string): undefined {
    this.#problems.push({ path, message });
    return undefined;
  }

  required<T>(name: string, value: T | undefined): T | undefined {
    if (value === undefined && !this.#problems.some((problem) => problem.path === name)) this.wrong(name, 'is required');
    return value;
  }

  text(name: string, charsMax: number): string | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.wrong(name, Array.isArray(value) ? 'is given more than once' : 'is not a text');
    return value.length > charsMax ? this.wrong(name, `has ${value.length} characters, at most ${charsMax} are allowed`) : value;
  }

  /** A text that `accepts` says yes to; `shape` completes "is not ...". */
  shaped(name: string, accepts: (value: string) => boolean, shape: string): string | undefined {
    const value = this.text(name, LIMITS.factCharsMax);
    return value === undefined || accepts(value) ? value : this.wrong(name, `is not ${shape}`);
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name, LIMITS.factCharsMax);
    if (value === undefined) return undefined;
    return allowed.find((one) => one === value) ?? this.wrong(name, `is not one of ${allowed.join(', ')}`);
  }

  /** A whole number from 0, as a number or, as in URLs, in decimal digits. */
  count(name: string): number | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0
      ? number
      : this.wrong(name, 'is not a whole number from 0 to 2^53-1');
  }

  /** Unix ms that can be meant: not seconds, not before 2000, not further ahead of ingest's clock than LIMITS allow. */
  timeMs(name: string, nowMs: number): number | undefined {
    const value = this.count(name);
    if (value === undefined) return undefined;
    if (value < LIMITS.timestampMinMs) return this.wrong(name, `is ${value}: before 2000-01-01 in Unix ms; is it in seconds?`);
    if (value > nowMs + LIMITS.timestampAheadMaxMs)
      return this.wrong(name, `is ${value}: further ahead of the server's clock than allowed`);
    return value;
  }

  /** An object of texts; with `asJson` the JSON text of one. */
  facts(name: string, asJson: boolean): Readonly<Record<string, string>> | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (!asJson) return this.#facts(name, value);
    if (typeof value !== 'string') return this.wrong(name, 'is given more than once');
    let parsed: unknown;
    try {
      parsed = JSON.parse(value);
    } catch {
      return this.wrong(name, 'is not JSON');
    }
    return this.#facts(name, parsed);
  }

  #facts(name: string, value: unknown): Readonly<Record<string, string>> | undefined {
    if (!isObject(value)) return this.wrong(name, 'is not an object');
    const entries = Object.entries(value);
    if (entries.length > LIMITS.factsMax) return this.wrong(name, `has ${entries.length} facts, at most ${LIMITS.factsMax} are allowed`);
    const facts: [string, string][] = [];
    for (const [fact, text] of entries) {
      const path = `${name}.${fact.slice(0, FACT_NAME_CHARS_MAX)}`;
      if (fact === '' || fact.length > FACT_NAME_CHARS_MAX)
        this.wrong(path, `has a name that is not 1 to ${FACT_NAME_CHARS_MAX} characters long`);
      else if (typeof text !== 'string') this.wrong(path, 'is not a text');
      else if (text.length > LIMITS.factCharsMax)
        this.wrong(path, `has ${text.length} characters, at most ${LIMITS.factCharsMax} are allowed`);
      else facts.push([fact, text]);
    }
    return Object.fromEntries(facts);
  }

  /** @throws {PlayheadError} `invalid_request` with `details.problems` when anything was wrong */
  assertNone(): void {
    if (this.#problems.length === 0) return;
    const message = this.#problems.map((problem) => `${problem.path} ${problem.message}`).join('; ');
    throw new PlayheadError('invalid_request', message, { details: { problems: this.#problems } });
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
