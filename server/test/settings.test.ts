import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { helpText, ROLES, readSettings, SETTINGS, SettingFault, settingsDocument } from '../src/settings.ts';

describe('settings', () => {
  test('a flag wins over the environment, which wins over the default', () => {
    const env = { PLAYHEAD_PORT: '5000', PLAYHEAD_DATA: '/tmp/a' };
    expect(readSettings(['--port', '6000'], env)).toMatchObject({ port: 6000, data: '/tmp/a', host: '127.0.0.1' });
  });

  test.each([
    [['--port', 'many'], {}, /--port=many: must be a whole number from 0 to 65535/],
    [['--shop', 'maybe'], {}, /--shop=maybe: must be one of on, off/],
    [[], { PLAYHEAD_PARTITIONS: '0' }, /PLAYHEAD_PARTITIONS=0: must be a whole number from 1/],
    [['--prot', '1'], {}, /--prot/],
    [['extra'], {}, /extra/],
    [['--role', 'ingest'], {}, /--role needs --kafka-brokers/],
    [['--role', 'ingest,cook'], {}, /--role=ingest,cook: must be one of ingest, processors, live-gateway, player/],
    [['--public-url', 'https://a.example/b'], {}, /must be an origin/],
    [['--kafka-brokers', 'kafka:9092', '--s3-bucket', 'b'], {}, /needs --schema-registry, --projects, --clickhouse as well/],
    [['--role', 'player', '--kafka-brokers', 'k:9092', '--projects', 'p', '--kafka-sasl', 'plain'], {}, /--kafka-sasl needs --kafka-user/],
    [['--role', 'ingest', '--kafka-brokers', 'kafka:9092'], {}, /needs --schema-registry, --projects as well/],
  ])('%j with %j is refused by name', (args, env, message) => {
    expect(() => readSettings(args, env)).toThrow(SettingFault);
    expect(() => readSettings(args, env)).toThrow(message);
  });

  test('a command in the place of a role needs what that role needs, whatever role the environment names', () => {
    const cluster = ['--kafka-brokers', 'k:9092', '--schema-registry', 'r', '--s3-bucket', 'b', '--clickhouse', 'c'];
    expect(readSettings(cluster, { PLAYHEAD_ROLE: 'ingest' }, 'processors')).toMatchObject({ role: new Set(['processors']) });
    expect(readSettings([], { PLAYHEAD_ROLE: 'processors' }, 'processors')).toMatchObject({ role: new Set(ROLES) });
    expect(() => readSettings(cluster.slice(0, 4), {}, 'processors')).toThrow(/needs --s3-bucket, --clickhouse as well/);
  });

  test('--help names every flag and variable', () => {
    expect(readSettings(['--help'], {})).toBe('help');
    for (const setting of Object.values(SETTINGS)) {
      expect(helpText()).toContain(`--${setting.flag} `);
      expect(helpText()).toContain(setting.env);
    }
  });

  test('docs/settings.md is what `npm run docs` makes', async () => {
    expect(await readFile(join(import.meta.dirname, '..', '..', 'docs', 'settings.md'), 'utf8')).toBe(settingsDocument());
  });
});
