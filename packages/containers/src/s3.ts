import type { StartedTestContainer } from 'testcontainers';
import { GenericContainer, Wait } from 'testcontainers';
import type { Freezable } from './freezable.ts';
import { freezable } from './freezable.ts';
import { HARDLY_EVER_ASKED, IMAGES } from './images.ts';

export interface StartedS3 extends Freezable {
  /** `http://host:port`; buckets are addressed by path, or as the host `<bucket>.s3.localhost`. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly container: StartedTestContainer;
  /** Makes an account that may use buckets of its own, and make none. */
  createUser(accessKeyId: string, secretAccessKey: string): Promise<void>;
}

const PORT = 7070;
const ACCOUNT = { accessKeyId: 'playhead', secretAccessKey: 'playhead-secret', region: 'us-east-1' } as const;

/** Starts an S3 server (Versity S3 Gateway over a folder of its container) without any bucket; resolves when it answers. */
export async function startS3(): Promise<StartedS3> {
  const container = await new GenericContainer(IMAGES.s3)
    .withCommand(['posix', '/data'])
    .withEnvironment({
      ROOT_ACCESS_KEY: ACCOUNT.accessKeyId,
      ROOT_SECRET_KEY: ACCOUNT.secretAccessKey,
      VGW_REGION: ACCOUNT.region,
      VGW_VIRTUAL_DOMAIN: 's3.localhost',
      VGW_IAM_DIR: '/users',
    })
    // The public image has no such folders.
    .withCopyContentToContainer(['/data', '/users'].map((folder) => ({ content: '', target: `${folder}/.playhead` })))
    .withExposedPorts(PORT)
    // Unsigned, so it is refused: by a server that is ready.
    .withWaitStrategy(Wait.forHttp('/', PORT).forStatusCode(403))
    .withHealthCheck(HARDLY_EVER_ASKED)
    .start();
  return {
    ...ACCOUNT,
    endpoint: `http://${container.getHost()}:${container.getMappedPort(PORT)}`,
    container,
    async createUser(accessKeyId, secretAccessKey) {
      const us = ['--access', ACCOUNT.accessKeyId, '--secret', ACCOUNT.secretAccessKey, '--endpoint-url', `http://127.0.0.1:${PORT}`];
      const them = ['--access', accessKeyId, '--secret', secretAccessKey, '--role', 'user'];
      const { exitCode, output } = await container.exec(['versitygw', 'admin', ...us, 'create-user', ...them]);
      if (exitCode !== 0) throw new Error(`no user ${accessKeyId}: ${output}`);
    },
    ...freezable(container),
  };
}
