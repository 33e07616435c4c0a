// Child of corpus.ts: serves stacks and answers what only the serving process knows.
import { Calls, makeFolders, takePollution, type Folders } from './service.js';
import { stacks } from './stacks/all.js';
import type { Running } from './stacks/stack.js';
import type { FromChild, ToChild } from './messages.js';

const served = new Map<string, { running: Running; calls: Calls; folders: Folders }>();
const tell = (message: FromChild): void => void process.send!(message);

// What a process prints about thrown errors is of no interest here.
process.stderr.write = () => true;
console.error = () => undefined;

process.on('message', (message: ToChild) => {
  answer(message).then(
    (value) => tell({ id: message.id, value }),
    (error: unknown) => tell({ id: message.id, error: String((error as Error).stack ?? error) }),
  );
});
process.on('disconnect', () => {
  for (const { folders } of served.values()) folders.remove();
  process.exit(0);
});

async function answer(message: ToChild): Promise<unknown> {
  if (message.type === 'start') {
    const stack = stacks.find(({ name }) => name === message.stack);
    if (!stack) throw new Error(`There is no stack "${message.stack}".`);
    const calls = new Calls();
    const folders = await makeFolders();
    const running = await stack.start({ calls, folders, mutant: message.mutant });
    served.set(message.key, { running, calls, folders });
    return running.port;
  }
  const { running, calls } = served.get(message.key)!;
  switch (message.type) {
    case 'legitimate':
      return running.legitimate();
    case 'calls':
      return calls.of(message.argument);
    default:
      return takePollution();
  }
}
