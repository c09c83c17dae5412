import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/** A TCP relay in front of the server whose connections can be cut: a viewer's lost network. */
export interface DroppingProxy {
  readonly port: number;
  /** Cuts every connection that is open now. */
  drop(): void;
  close(): Promise<void>;
}

export async function openDroppingProxy(targetPort: number): Promise<DroppingProxy> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const drop = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    drop,
    async close() {
      drop();
      server.close();
      await once(server, 'close');
    },
  };
}
