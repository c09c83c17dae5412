/** One rrweb event, as far as this code looks at it. */
export interface DomEvent {
  readonly type: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly timestamp: number;
}

const TYPE = { fullSnapshot: 2, incremental: 3, meta: 4, last: 7 } as const;
/** Sources of incremental events that a person causes: mouse, clicks, scroll, viewport, input, touch, drag. */
const SOURCE_PERSON = new Set([1, 2, 3, 4, 5, 6, 12]);
const SOURCE_MOUSE_INTERACTION = 2;
const INTERACTION_CLICK = 2;

/**
 * Reads the payload of a `dom` frame: one event or an array of events. All get the frame's time: the frame is what has a
 * place on the timeline.
 *
 * @returns undefined for what is not such a payload
 */
export function readDomPayload(payload: Uint8Array, timestampMs: number): DomEvent[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const events: DomEvent[] = [];
  for (const one of list) {
    if (!isDomEvent(one)) return undefined;
    events.push({ ...one, timestamp: timestampMs });
  }
  return events;
}

function isDomEvent(value: unknown): value is DomEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { type, data } = value as { type?: unknown; data?: unknown };
  if (typeof type !== 'number' || !Number.isInteger(type) || type < 0 || type > TYPE.last) return false;
  // DomContentLoaded and Load carry nothing.
  if (type < TYPE.fullSnapshot) return true;
  if (typeof data !== 'object' || data === null) return false;
  if (type === TYPE.incremental) return typeof (data as { source?: unknown }).source === 'number';
  if (type === TYPE.fullSnapshot) return typeof (data as { node?: unknown }).node === 'object';
  if (type === TYPE.meta) {
    const { width, height } = data as { width?: unknown; height?: unknown };
    return typeof width === 'number' && typeof height === 'number' && width > 0 && height > 0;
  }
  return true;
}

/** A window can be drawn from these events. */
export function isDomKeyframe(events: readonly DomEvent[]): boolean {
  return events.some((event) => event.type === TYPE.fullSnapshot);
}

/** It changes a page that has to be there. */
export function isChange(event: DomEvent): boolean {
  return event.type === TYPE.incremental;
}

/** The person did something. */
export function isPersonal(event: DomEvent): boolean {
  return event.type === TYPE.incremental && SOURCE_PERSON.has(Number(event.data['source']));
}

export function isClick(event: DomEvent): boolean {
  return (
    event.type === TYPE.incremental &&
    event.data['source'] === SOURCE_MOUSE_INTERACTION &&
    (event.data['type'] === INTERACTION_CLICK || event.data['type'] === 9)
  );
}

/** The page's address, where the event tells it. */
export function hrefOf(event: DomEvent): string | undefined {
  const href = event.type === TYPE.meta ? event.data['href'] : undefined;
  return typeof href === 'string' && href !== '' ? href : undefined;
}
