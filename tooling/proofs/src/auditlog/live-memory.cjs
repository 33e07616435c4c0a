// Preloaded into the command and its threads (`--expose-gc`): what is alive after a forced collection, one line for each look.
const { appendFileSync } = require('node:fs');
const { threadId } = require('node:worker_threads');

const file = process.env.LIVE_MEMORY;
const look = () => {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  appendFileSync(file, `${threadId} ${heapUsed} ${external}\n`);
};
setInterval(look, 100).unref();
