export { answerErrors, answerFrameworkError, answerNotFound, asPlayheadError } from './answer-error.ts';
export { withoutQuery } from './log-url.ts';
export { registerIngest } from './register-ingest.ts';
export type { IngestConfig, IngestDeps, IngestSettings } from './settings.ts';
