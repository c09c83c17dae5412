/** Values shorter than this are in every text by chance: masking them would mask the page. */
export const ECHO_CHARS_MIN = 4;
/** Remembered at a time. The oldest go first. */
export const ECHO_VALUES_MAX = 128;

/** What a mask shows of a text: its length, up to a bound, and nothing of its letters. */
export function maskOf(text: string, most = 64): string {
  return '*'.repeat(Math.min(text.length, most));
}

function escapeForPattern(text: string): string {
  // In a pattern with the flag `u` only these may have a backslash before them.
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** The spellings in which a page repeats a value: as typed, in a URL, in a form body, and digits with other spaces. */
function spellingsOf(value: string): string[] {
  const spellings = [escapeForPattern(value)];
  const encoded = encodeURIComponent(value);
  if (encoded !== value) spellings.push(escapeForPattern(encoded), escapeForPattern(encoded.replaceAll('%20', '+')));
  const digits = value.replace(/[\s.()/-]/g, '');
  if (/^\+?\d{6,}$/.test(digits)) {
    spellings.push(
      digits
        .split('')
        .map((digit) => escapeForPattern(digit))
        .join('[\\s.()/-]?'),
    );
  }
  return spellings;
}

/**
 * What people typed on this page, so that the page's own repetitions of it (`Ship to Ann Lee`, `title="ann@example.org"`)
 * can be masked before they leave. Lives in memory only and never leaves itself.
 */
export class TypedValues {
  /** The current value of each element. */
  readonly #current = new Map<unknown, string>();
  /** Values that were in an element and were then cleared, shortened or replaced. */
  readonly #former = new Set<string>();
  #pattern: RegExp | null = null;

  /**
   * Takes note of a field's value. A value that only grew replaces what it grew from.
   *
   * @param field what tells one field from another: the element, or a number
   */
  note(field: unknown, value: string): void {
    const text = value.trim();
    const before = this.#current.get(field);
    if (before === text) return;
    if (before !== undefined && !text.startsWith(before)) this.#remember(before);
    this.#current.set(field, text);
    if (this.#current.size > ECHO_VALUES_MAX) {
      const oldest = this.#current.entries().next().value;
      if (oldest !== undefined) {
        this.#current.delete(oldest[0]);
        this.#remember(oldest[1]);
      }
    }
    this.#pattern = null;
  }

  #remember(text: string): void {
    if (text.length < ECHO_CHARS_MIN) return;
    this.#former.delete(text);
    this.#former.add(text);
    if (this.#former.size > ECHO_VALUES_MAX) {
      const oldest = this.#former.values().next().value;
      if (oldest !== undefined) this.#former.delete(oldest);
    }
  }

  /** A text with every typed value in it masked, in any case. */
  scrub(text: string): string {
    if (text.length < ECHO_CHARS_MIN) return text;
    if (this.#pattern === null) {
      const values = [...new Set([...this.#current.values(), ...this.#former])].filter((value) => value.length >= ECHO_CHARS_MIN);
      values.sort((a, b) => b.length - a.length);
      const source = values.flatMap(spellingsOf).join('|');
      this.#pattern = new RegExp(source === '' ? '(?!)' : source, 'giu');
    }
    return text.replace(this.#pattern, (found) => maskOf(found));
  }
}
