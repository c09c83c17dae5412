export { answerErrors, answerFrameworkError, answerNotFound, asPlayheadError } from './answer-error.ts';
export { announcement } from './core/upload-request.ts';
export { withoutQuery } from './log-url.ts';
export { followLog, registerIngest } from './register-ingest.ts';
export { SessionBook } from './session-book.ts';
export type { IngestConfig, IngestDeps, IngestSettings } from './settings.ts';
export { settingsOf } from './settings.ts';
