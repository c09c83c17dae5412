import type { SessionInfo } from '@playhead/schemas';
import type { IconName } from '../style/icons.ts';

// Made once: to make one takes a millisecond, and pages are drawn up to ten times a second.
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'medium' });

/** Day and time to the second, in the viewer's own way. */
export function momentText(timeMs: number): string {
  return MOMENT.format(timeMs);
}

/** The end of an id, which differs where ids of one time begin alike. */
export function shortId(sessionId: string): string {
  return sessionId.length > 12 ? sessionId.slice(-8) : sessionId;
}

/** Who was there: the user that the site named, or the session's short id. */
export function nameOf(session: SessionInfo): string {
  return session.userId === '' ? `Visitor ${shortId(session.sessionId)}` : session.userId;
}

export function sourceIcon(source: string): IconName {
  if (source === 'phone') return 'phone';
  return source === 'import' ? 'import' : 'web';
}

export function sourceText(source: string): string {
  const known: Record<string, string> = { web: 'Web', phone: 'Phone', import: 'Import' };
  return known[source] ?? source;
}

/** Clicks and taps, for one column. */
export function pressesOf(session: SessionInfo): number {
  return session.counts.clicks;
}

export function faultsOf(session: SessionInfo): number {
  return session.counts.errors + session.counts.crashes;
}

export function pagesOf(session: SessionInfo): number {
  return Math.max(session.pages.length, session.counts.navigations);
}

/** `Chrome 141 · macOS` out of a user agent string; '' when it says nothing known. */
export function deviceText(facts: Readonly<Record<string, string>>): string {
  const agent = facts['userAgent'] ?? facts['user_agent'] ?? '';
  const browsers: readonly (readonly [string, RegExp])[] = [
    ['Edge', /Edg\/(\d+)/],
    ['Opera', /OPR\/(\d+)/],
    ['Firefox', /Firefox\/(\d+)/],
    ['Chrome', /(?:Headless)?Chrome\/(\d+)/],
    ['Safari', /Version\/(\d+).*Safari/],
  ];
  const systems: readonly (readonly [string, RegExp])[] = [
    ['Android', /Android/],
    ['iOS', /iPhone|iPad|iPod/],
    ['macOS', /Mac OS X|Macintosh/],
    ['Windows', /Windows/],
    ['ChromeOS', /CrOS/],
    ['Linux', /Linux/],
  ];
  const browser = browsers.map(([name, pattern]) => [name, pattern.exec(agent)?.[1]] as const).find(([, version]) => version !== undefined);
  const system = systems.find(([, pattern]) => pattern.test(agent));
  const told = [facts['device'] ?? facts['model'], facts['os']].filter((part) => part !== undefined && part !== '');
  const read = [browser ? `${browser[0]} ${browser[1]}` : undefined, system?.[0]].filter((part) => part !== undefined);
  return (told.length > 0 ? told : read).join(' · ');
}
