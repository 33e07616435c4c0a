// Child of malformed.ts: serves one thing in a process of its own, and says how much memory it holds.
import { secureServer } from '@portcullis/errors/server';
import { createApp } from '../../../../examples/digital-library/src/app.js';
import { openHouse } from '../../../../examples/digital-library/src/house.js';
import { loadSettings } from '../../../../examples/digital-library/src/settings.js';
import { temporaryFolder } from '@portcullis/digital-library/test-support';
import { Calls, makeFolders } from '../corpus/service.js';
import { stacks } from '../corpus/stacks/all.js';

export const LIBRARY = 'Digital library';

const [name] = process.argv.slice(2) as [string];
// What it prints about refused requests is of no interest here.
console.error = () => undefined;
process.stderr.write = () => true;

const port = name === LIBRARY ? await serveLibrary() : await serveStack();
process.on('message', () => {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send!({ heldMib: (heapUsed + external) / 1024 / 1024, rssMib: rss / 1024 / 1024 });
});
process.on('disconnect', () => process.exit(0));
process.send!({ port });

async function serveStack(): Promise<number> {
  const stack = stacks.find((one) => one.name === name);
  if (!stack) throw new Error(`There is no stack "${name}".`);
  const folders = await makeFolders();
  process.on('exit', () => folders.remove());
  return (await stack.start({ calls: new Calls(), folders })).port;
}

async function serveLibrary(): Promise<number> {
  const folder = temporaryFolder();
  process.on('exit', () => folder.remove());
  const { values } = loadSettings({ env: { DATA_DIRECTORY: folder.path }, files: [] });
  const server = secureServer(createApp(await openHouse(values, { production: false })));
  return (await server.listen({ port: 0, host: '0.0.0.0' })).port;
}
