import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';

/** The baseline of fan-out: whatever is posted for a session is sent to the sockets that watch it, and nothing else. Prints its port. */
const watching = new Map<string, Set<WebSocket>>();
const sessionOf = (path = ''): string => /^\/v1\/sessions\/([^/]+)/.exec(path)?.[1] ?? '';

const server = createServer((request, reply) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    reply.writeHead(204).end();
    for (const socket of watching.get(sessionOf(request.url)) ?? []) socket.send(body);
  });
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket, request) => {
  const sessionId = sessionOf(request.url);
  const all = watching.get(sessionId) ?? new Set();
  watching.set(sessionId, all.add(socket));
  socket.on('close', () => all.delete(socket));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
