export type { ProjectionStats } from './catalog/projection-driver.ts';
export type { CompactorStats } from './compactor/compactor-stats.ts';
export type { ProcessorSettings } from './settings.ts';
export { DEFAULT_SETTINGS } from './settings.ts';
export type { ProcessorStats, Processors, ProcessorsDeps } from './start-processors.ts';
export { startProcessors } from './start-processors.ts';
