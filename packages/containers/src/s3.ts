import type { StartedTestContainer } from 'testcontainers';
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers';
import { IMAGES } from './images.ts';

export interface StartedS3 {
  /** `http://host:port`; buckets are addressed by path. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly container: StartedTestContainer;
  /** Makes an empty bucket. */
  createBucket(name: string): Promise<void>;
  /** Freezes the server: connections are taken, nothing is answered. */
  pause(): Promise<void>;
  unpause(): Promise<void>;
  stop(): Promise<void>;
}

const PORT = 7070;
const ACCOUNT = { accessKeyId: 'playhead', secretAccessKey: 'playhead-secret', region: 'us-east-1' } as const;

/** Starts an S3 server (Versity S3 Gateway over a folder of its container) without any bucket; resolves when it answers. */
export async function startS3(): Promise<StartedS3> {
  const container = await new GenericContainer(IMAGES.s3)
    .withCommand(['posix', '/data'])
    .withEnvironment({ ROOT_ACCESS_KEY: ACCOUNT.accessKeyId, ROOT_SECRET_KEY: ACCOUNT.secretAccessKey, VGW_REGION: ACCOUNT.region })
    // The public image has no such folder.
    .withCopyContentToContainer([{ content: '', target: '/data/.playhead' }])
    .withExposedPorts(PORT)
    // Unsigned, so it is refused: by a server that is ready.
    .withWaitStrategy(Wait.forHttp('/', PORT).forStatusCode(403))
    .start();
  const frozen = { is: false };
  const byId = async () => (await getContainerRuntimeClient()).container.getById(container.getId());
  async function unpause(): Promise<void> {
    if (!frozen.is) return;
    await (await byId()).unpause();
    frozen.is = false;
  }
  return {
    ...ACCOUNT,
    endpoint: `http://${container.getHost()}:${container.getMappedPort(PORT)}`,
    container,
    async createBucket(name) {
      // A folder is a bucket there, which spares this package an S3 client.
      const { exitCode, output } = await container.exec(['mkdir', `/data/${name}`]);
      if (exitCode !== 0) throw new Error(`no bucket ${name}: ${output}`);
    },
    async pause() {
      await (await byId()).pause();
      frozen.is = true;
    },
    unpause,
    async stop() {
      await unpause();
      await container.stop();
    },
  };
}
