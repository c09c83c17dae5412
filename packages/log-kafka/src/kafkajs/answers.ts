import { createRequire } from 'node:module';
import type { Broker } from 'kafkajs';
import type { KafkaFault } from '../kafka-client.ts';
import { faultOf } from './faults.ts';

interface Protocol {
  readonly request: unknown;
  readonly response: { readonly decode: unknown; readonly parse: unknown };
}

/** What kafkajs's brokers have beyond its types. */
interface RawBroker {
  lookupRequest(apiKey: number, definition: unknown): (parameters: object) => Protocol;
  readonly connectionPool: { send(protocol: Protocol): Promise<unknown> };
}

const require = createRequire(import.meta.url);
const { requests } = require('kafkajs/src/protocol/requests') as { readonly requests: Readonly<Record<string, unknown>> };
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as { readonly createErrorFromCode: (code: number) => Error };

const API_KEYS = { Produce: 0, Fetch: 1 } as const;

/**
 * Sends what a broker's `produce` and `fetch` send, and answers with all that came back. Those two throw at the first partition with
 * an error code, and what became of the other partitions is lost: of a produce request they would have to be sent again,
 * and be in the log twice.
 */
export async function answerOf(broker: Broker, api: keyof typeof API_KEYS, parameters: object): Promise<unknown> {
  const raw = broker as unknown as RawBroker;
  const protocol = raw.lookupRequest(API_KEYS[api], requests[api])(parameters);
  return raw.connectionPool.send({ ...protocol, response: { ...protocol.response, parse: async (answer: unknown) => answer } });
}

/** What a code of an answer says; undefined for success. */
export function faultOfCode(code: number, what: string): KafkaFault | undefined {
  if (code === 0) return undefined;
  const error = createErrorFromCode(code);
  error.message = `${what}: ${error.message}`;
  return faultOf(error);
}
