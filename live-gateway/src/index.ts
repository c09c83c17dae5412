export { TOKEN_COOKIE } from './auth.ts';
export type { LiveGatewayDeps } from './deps.ts';
export { GatewayParts } from './gateway-parts.ts';
export type { ViewerSocket } from './handover/viewer-socket.ts';
export { registerLiveGateway } from './register.ts';
export type { LiveGatewaySettings } from './settings.ts';
