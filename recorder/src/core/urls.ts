/**
 * A URL as it may leave the page: who logs in with it and what was asked for with it stay here. Forms sent with GET write
 * what was typed into the query, and single sign-on writes tokens into the fragment; so names of parameters stay, values go.
 *
 * `https://u:p@shop.example/find?q=shoes&page=2#token=abc` becomes `https://shop.example/find?q=*&page=*#token=*`.
 * A fragment without `=` or `&` is a place in the page or a route, and stays.
 *
 * @param keep names of parameters whose values may leave
 */
export function redactUrl(url: string, keep: ReadonlySet<string> = new Set()): string {
  if (url.startsWith('data:')) return 'data:';
  const hashAt = url.indexOf('#');
  const beforeHash = hashAt < 0 ? url : url.slice(0, hashAt);
  const hash = hashAt < 0 ? '' : url.slice(hashAt + 1);
  const queryAt = beforeHash.indexOf('?');
  const path = (queryAt < 0 ? beforeHash : beforeHash.slice(0, queryAt)).replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/@]*@/i, '$1//');
  const query = queryAt < 0 ? '' : `?${redactPairs(beforeHash.slice(queryAt + 1), keep)}`;
  if (hashAt < 0) return path + query;
  return `${path}${query}#${redactFragment(hash, keep)}`;
}

function redactFragment(hash: string, keep: ReadonlySet<string>): string {
  const queryAt = hash.indexOf('?');
  if (queryAt >= 0) return `${hash.slice(0, queryAt)}?${redactPairs(hash.slice(queryAt + 1), keep)}`;
  return /[=&]/.test(hash) ? redactPairs(hash, keep) : hash;
}

function redactPairs(pairs: string, keep: ReadonlySet<string>): string {
  if (pairs === '') return '';
  return pairs
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      // `?secret` has no name: the whole of it is a value.
      if (equals < 0) return pair === '' ? '' : '*';
      const name = pair.slice(0, equals);
      if (keep.has(name)) return pair;
      return equals === pair.length - 1 ? pair : `${name}=*`;
    })
    .join('&');
}
