/** A value beside the baseline's. */
export function ratio(value: number, baseline: number | undefined): string {
  return baseline === undefined || !(baseline > 0) ? '-' : `${(value / baseline).toFixed(2)}×`;
}

export function listed(refusals: ReadonlyMap<string, number>): string {
  return refusals.size === 0 ? '0' : [...refusals].map(([refusal, count]) => `${count} × ${refusal}`).join(', ');
}
