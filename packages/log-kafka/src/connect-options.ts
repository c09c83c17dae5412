import type { ConnectionOptions } from 'node:tls';
import type { Logger } from '@playhead/ports';

/** How a cluster is reached: the same for every client. */
export interface ConnectOptions {
  /** `host:port`, of some brokers of the cluster. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly logger: Logger;
  /** TLS, where it is to be used. Default none. */
  readonly ssl?: true | ConnectionOptions;
  readonly sasl?: SaslOptions;
  /** Default 3 s. */
  readonly connectTimeoutMs?: number;
  /** For one answer; joining a group may take longer by the time that the group waits. Default 10 s. */
  readonly requestTimeoutMs?: number;
}

export type SaslOptions =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: () => Promise<string> };

export const CONNECT_TIMEOUT_MS = 3_000;
export const REQUEST_TIMEOUT_MS = 10_000;
