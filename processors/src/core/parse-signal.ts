import type { Signal, SignalKind } from '@playhead/schemas';
import { LIMITS, SIGNAL_KINDS } from '@playhead/schemas';

/** A signal longer than this is not one of ours: our texts are cut far below. It is not parsed. */
const SIGNAL_BYTES_MAX = 64 * 1024;

const KINDS: ReadonlySet<unknown> = new Set(SIGNAL_KINDS);
const UNREADABLE: Signal = { kind: 'custom' };

/**
 * Reads the payload of a signal frame. Recorders are foreign code, so nothing here throws: what is not JSON, not an
 * object or of an unknown kind is a `custom` signal, and fields of a wrong type are left out. Texts are cut to
 * LIMITS.signalTextCharsMax (URLs to LIMITS.factCharsMax).
 */
export function parseSignal(payload: Uint8Array): Signal {
  if (payload.length > SIGNAL_BYTES_MAX) return UNREADABLE;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return UNREADABLE;
  }
  if (typeof value !== 'object' || value === null) return UNREADABLE;
  const fields = value as Record<string, unknown>;
  const signal: { -readonly [Field in keyof Signal]: Signal[Field] } = {
    kind: KINDS.has(fields.kind) ? (fields.kind as SignalKind) : 'custom',
  };
  for (const name of ['selector', 'text', 'value'] as const) {
    const text = fields[name];
    if (typeof text === 'string') signal[name] = text.slice(0, LIMITS.signalTextCharsMax);
  }
  if (typeof fields.url === 'string') signal.url = fields.url.slice(0, LIMITS.factCharsMax);
  for (const name of ['x', 'y'] as const) {
    const number = fields[name];
    if (typeof number === 'number' && Number.isFinite(number)) signal[name] = number;
  }
  return signal;
}
