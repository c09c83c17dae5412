import { SPEEDS } from '../core/clock.ts';

export type KeyAction =
  | { readonly do: 'toggle' | 'live' | 'skip' | 'fullscreen' | 'first' | 'last' }
  | { readonly do: 'jump'; readonly ms: number }
  | { readonly do: 'step'; readonly direction: -1 | 1 }
  | { readonly do: 'speed'; readonly speed: number };

interface Key {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/**
 * What a key does in the player: space, ← → (10 s), Home and End, L (live), `,` `.` (one picture), 1–5 and `<` `>` (speed), S (skip
 * inactivity), F (full screen). Undefined for every other key, and for those held with Ctrl, Alt or Meta.
 */
export function playerKey(event: Key, speed: number): KeyAction | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const at = SPEEDS.findIndex((one) => one >= speed);
  switch (event.key) {
    case ' ':
    case 'k':
      return { do: 'toggle' };
    case 'ArrowLeft':
      return { do: 'jump', ms: -10_000 };
    case 'ArrowRight':
      return { do: 'jump', ms: 10_000 };
    case 'Home':
      return { do: 'first' };
    case 'End':
      return { do: 'last' };
    case 'l':
    case 'L':
      return { do: 'live' };
    case ',':
      return { do: 'step', direction: -1 };
    case '.':
      return { do: 'step', direction: 1 };
    case 's':
    case 'S':
      return { do: 'skip' };
    case 'f':
    case 'F':
      return { do: 'fullscreen' };
    case '<':
      return { do: 'speed', speed: SPEEDS[Math.max(0, at - 1)] ?? 1 };
    case '>':
      return { do: 'speed', speed: SPEEDS[Math.min(SPEEDS.length - 1, at + 1)] ?? 1 };
    default: {
      const picked = /^[1-5]$/.test(event.key) ? SPEEDS[Number(event.key) - 1] : undefined;
      return picked === undefined ? undefined : { do: 'speed', speed: picked };
    }
  }
}
