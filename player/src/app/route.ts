/** Where the web app is: the list of sessions, one session, or nowhere it knows. */
export type Route = { readonly page: 'list' } | { readonly page: 'session'; readonly sessionId: string } | { readonly page: 'unknown' };

export function routeOf(pathname: string): Route {
  if (pathname === '/' || pathname === '/sessions' || pathname === '/sessions/') return { page: 'list' };
  const match = /^\/sessions\/([A-Za-z0-9][A-Za-z0-9_-]{7,63})\/?$/.exec(pathname);
  return match?.[1] === undefined ? { page: 'unknown' } : { page: 'session', sessionId: match[1] };
}

/** True for a click that should change the page without loading it anew: a plain click on a link of this origin. */
export function isPlainClick(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey && !event.defaultPrevented;
}

/** The link of this origin that was clicked. */
export function linkOf(event: MouseEvent): HTMLAnchorElement | undefined {
  const link = event.composedPath().find((node): node is HTMLAnchorElement => node instanceof HTMLAnchorElement);
  if (!link || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return undefined;
  return link;
}
