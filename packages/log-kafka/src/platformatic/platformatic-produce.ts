import type { Connection, MessageRecord } from '@platformatic/kafka';
import { ProduceAcks, produceV8 } from '@platformatic/kafka';
import type { ProducePart } from '../kafka-client.ts';
import { KafkaFault } from '../kafka-client.ts';
import { faultOfCode, wholeAnswer } from './faults.ts';

/** One plain produce request, not idempotent. What became of each part, in their order. */
export async function produceTo(
  connection: Connection,
  parts: readonly ProducePart[],
  timeoutMs: number,
): Promise<readonly (number | KafkaFault)[]> {
  const answer = await wholeAnswer(produceV8.api.async(connection, ProduceAcks.ALL, timeoutMs, parts.flatMap(messagesOf)));
  const found = new Map<string, number | KafkaFault>();
  // The client answers `true` where no answer was asked for, which is not here.
  for (const { name: topic, partitionResponses } of typeof answer === 'boolean' ? [] : answer.responses) {
    for (const { index, errorCode, baseOffset } of partitionResponses) {
      const name = `${topic}/${index}`;
      found.set(name, faultOfCode(errorCode, `producing to ${name}`) ?? Number(baseOffset));
    }
  }
  return parts.map(({ topic, partition }) => {
    const outcome = found.get(`${topic}/${partition}`);
    return outcome ?? new KafkaFault('unreachable', `the broker did not say what became of records for ${topic}/${partition}`);
  });
}

/** The client groups them by topic and partition again, and keeps their order. */
function messagesOf({ topic, partition, records }: ProducePart): MessageRecord[] {
  return records.map(({ key, value }) => ({
    topic,
    partition,
    key: Buffer.from(key),
    value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  }));
}
