import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SchemaRegistryContainer } from '@playhead/containers';
import { noContainers, startSchemaRegistry } from '@playhead/containers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts, startRole } from '../src/server-process.ts';

/** What today's schema of uploads cannot read: it has none of the fields. */
const FOREIGN = { type: 'record', name: 'Upload', namespace: 'playhead', fields: [{ name: 'other', type: 'int' }] };

describe.runIf(noContainers === '')(`a schema registry that knows incompatible schemas${noContainers && ` (${noContainers})`}`, () => {
  let registry: SchemaRegistryContainer;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'playhead-registry-'));
    await writeFile(join(folder, 'projects.json'), JSON.stringify({ projects: [] }));
    registry = await startSchemaRegistry();
    const send = async (method: string, path: string, body: object): Promise<void> => {
      const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' };
      const answer = await fetch(`${registry.url}${path}`, { method, headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    };
    await send('PUT', '/config', { compatibility: 'BACKWARD' });
    await send('POST', '/subjects/playhead.uploads-value/versions', { schema: JSON.stringify(FOREIGN), schemaType: 'AVRO' });
  }, 120_000);
  afterAll(async () => {
    await registry?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('keeps a process from starting, and the process says which schema was refused', async () => {
    const [port = 0] = await freePorts(1);
    const flags = ['--kafka-brokers', '127.0.0.1:9', '--schema-registry', registry.url, '--projects', join(folder, 'projects.json')];
    await expect(startRole(port, ['--role', 'ingest', ...flags])).rejects.toThrow(
      /the schema registry refuses today's schema of playhead\.uploads-value/,
    );
  });
});
