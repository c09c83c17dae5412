/** A string by key that may be missing, full or forbidden: then it forgets, and says nothing. */
export interface TextStore {
  read(): string | null;
  /** False when only this page will find it. */
  write(text: string): boolean;
  remove(): void;
}

/** Browsers throw on the mere mention of storage where cookies are blocked; a page without storage is recorded by itself. */
export function textStore(storage: () => Storage, key: string): TextStore {
  let memory: string | null = null;
  return {
    read() {
      try {
        return storage().getItem(key);
      } catch {
        return memory;
      }
    },
    write(text) {
      memory = text;
      try {
        storage().setItem(key, text);
        return true;
      } catch {
        // Full or forbidden: what is in memory serves this page.
        return false;
      }
    },
    remove() {
      memory = null;
      try {
        storage().removeItem(key);
      } catch {
        // As above.
      }
    },
  };
}
