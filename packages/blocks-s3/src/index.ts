export { openS3Blocks } from './open.ts';
export type { S3BlocksOptions, S3Credentials } from './settings.ts';
