// Serves one stack in a process of its own and answers with its CPU time when asked.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stacks } from './stacks/all.js';

const stack = stacks.find(({ name }) => name === process.argv[2]);
if (!stack) throw new Error(`There is no stack "${process.argv[2]}".`);

const { app, headers } = await stack.build();
const server = createServer(app);
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port, headers });
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send!({ cpuMicroseconds: user + system });
});
