export { TOKEN_COOKIE } from './auth.ts';
export type { LiveGatewayDeps } from './deps.ts';
export { registerLiveGateway } from './register.ts';
export type { LiveGatewaySettings } from './settings.ts';
