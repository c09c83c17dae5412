/** The viewer's clock: Unix ms that never step back. */
export function viewerNow(): number {
  return performance.timeOrigin + performance.now();
}
