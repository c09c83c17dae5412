import { isIP } from 'node:net';
import type { ConnectionOptions, SASLOptions } from '@platformatic/kafka';
import { Connection, SASLMechanisms } from '@platformatic/kafka';
import type { ConnectOptions, SaslOptions } from '../connect-options.ts';
import { CONNECT_TIMEOUT_MS } from '../connect-options.ts';
import { KafkaFault } from '../kafka-client.ts';
import { faultOf } from './faults.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Connections of its own to brokers, made when they are needed and made anew after a failure. */
export class BrokerLink {
  readonly #options: ConnectOptions;
  readonly #requestTimeoutMs: number;
  /** By address. */
  readonly #connections = new Map<string, { readonly connection: Connection; readonly ready: Promise<void> }>();
  readonly #asked = new Set<Promise<unknown>>();
  #closed = false;

  /** @param requestTimeoutMs for one answer; from then on its connection is not trusted any more */
  constructor(options: ConnectOptions, requestTimeoutMs: number) {
    this.#options = options;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /** @throws {KafkaFault} */
  async use<T>(address: Address, run: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#closed) throw new KafkaFault('unreachable', 'the connection is closed');
    const asked = this.#use(address, run);
    this.#asked.add(asked);
    try {
      return await asked;
    } finally {
      this.#asked.delete(asked);
    }
  }

  /** Takes no more; resolves when what was asked has been answered, or has failed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#asked);
    this.cut();
  }

  /** Takes no more, and lets what was asked fail. */
  cut(): void {
    this.#closed = true;
    for (const [name, { connection }] of this.#connections) this.#discard(name, connection);
  }

  async #use<T>({ host, port }: Address, run: (connection: Connection) => Promise<T>): Promise<T> {
    const name = `${host}:${port}`;
    let opened = this.#connections.get(name);
    if (!opened) {
      opened = this.#open(name, host, port);
      this.#connections.set(name, opened);
    }
    const { connection, ready } = opened;
    try {
      await ready;
      return await run(connection);
    } catch (error) {
      const fault = faultOf(error);
      if (fault.kind === 'unreachable') this.#discard(name, connection);
      throw fault;
    }
  }

  #open(name: string, host: string, port: number): { connection: Connection; ready: Promise<void> } {
    const { clientId, ssl, sasl, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    const tls = ssl === true ? {} : ssl;
    const options: ConnectionOptions = {
      connectTimeout: connectTimeoutMs,
      requestTimeout: this.#requestTimeoutMs,
      ...(tls === undefined ? {} : { tls, tlsServerName: tls.servername ?? isIP(host) === 0 }),
      ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    };
    const connection = new Connection(clientId, options);
    // Whoever asked something over it hears of it.
    connection.on('error', () => {});
    connection.once('close', () => this.#discard(name, connection));
    return { connection, ready: (async () => connection.connect(host, port))() };
  }

  #discard(name: string, connection: Connection): void {
    if (this.#connections.get(name)?.connection === connection) this.#connections.delete(name);
    // Closing waits until everything was written, which a broker that stands still does not take.
    void connection.close().catch(() => undefined);
    (connection.socket as Connection['socket'] | undefined)?.destroy();
  }
}

/** All that one client has open. */
export class Links {
  readonly #options: ConnectOptions;
  readonly #open = new Set<BrokerLink>();

  constructor(options: ConnectOptions) {
    this.#options = options;
  }

  /** @param requestTimeoutMs see {@link BrokerLink} */
  open(requestTimeoutMs: number): BrokerLink {
    const link = new BrokerLink(this.#options, requestTimeoutMs);
    this.#open.add(link);
    return link;
  }

  cut(link: BrokerLink): void {
    this.#open.delete(link);
    link.cut();
  }

  /** Resolves when what was asked has been answered, or has failed. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((link) => link.close()));
  }
}

function saslOf(sasl: SaslOptions): SASLOptions {
  if (sasl.mechanism === 'oauthbearer') return { mechanism: SASLMechanisms.OAUTHBEARER, token: sasl.token };
  const { username, password } = sasl;
  const mechanism = {
    plain: SASLMechanisms.PLAIN,
    'scram-sha-256': SASLMechanisms.SCRAM_SHA_256,
    'scram-sha-512': SASLMechanisms.SCRAM_SHA_512,
  }[sasl.mechanism];
  return { mechanism, username, password };
}
