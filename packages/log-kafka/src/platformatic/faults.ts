import { ProtocolError, protocolErrorsCodesById, ResponseError } from '@platformatic/kafka';
import { kindOfCode } from '../fault-codes.ts';
import { KafkaFault } from '../kafka-client.ts';

/**
 * The client's failures in our words. What is not an answer of a broker (lost connections, time-outs, an answer that cannot be
 * read) is `unreachable`: a new connection is the way out of all of them.
 */
export function faultOf(error: unknown): KafkaFault {
  if (error instanceof KafkaFault) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  const [answer] = cause instanceof ResponseError ? cause.errors : [];
  if (!(answer instanceof ProtocolError)) return new KafkaFault('unreachable', messageOf(cause), { cause });
  const { apiCode, apiId } = answer as ProtocolError & { readonly apiCode: number; readonly apiId: string };
  return new KafkaFault(kindOfCode(apiCode), `${apiId}: ${answer.message}`.slice(0, 500), { cause });
}

/** What a code of an answer says; undefined for success. */
export function faultOfCode(code: number, what: string): KafkaFault | undefined {
  if (code === 0) return undefined;
  return new KafkaFault(kindOfCode(code), `${what}: ${protocolErrorsCodesById[code] ?? `error code ${code}`}`);
}

/** All of an answer. The client throws as soon as any part of it has an error code, and gives the answer with the error. */
export async function wholeAnswer<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    const answer: unknown = error instanceof ResponseError ? error['response'] : undefined;
    if (answer === undefined) throw error;
    return answer as T;
  }
}

/** The client says what it could not do; why is in the cause. */
function messageOf(error: Error): string {
  const cause = error.cause instanceof Error ? ` ${error.cause.message}` : '';
  return `${error.message}${cause}`.slice(0, 500);
}
