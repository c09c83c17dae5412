import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import process from 'node:process';

/** The baseline of an append: reads what comes over a socket and drops it. Prints its port. */
const server = createServer((socket) => socket.resume().on('error', () => socket.destroy()));
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
