// The process whose memory is watched: serves one stack, says its port, and answers 'start' and 'stop' with what it has grown.
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { stacks, type StackName } from './stacks.js';

const [name, directory] = process.argv.slice(2) as [StackName, string];
const app = await stacks[name](directory);
const server = app.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
server.requestTimeout = 0;

let [before, highest] = [0, 0];
const sample = (): void => void (highest = Math.max(highest, process.memoryUsage.rss()));
process.on('message', (message) => {
  if (message === 'start') {
    globalThis.gc?.();
    forgetPeak();
    before = highest = process.memoryUsage.rss();
    setInterval(sample, 5).unref();
    process.send!('started');
  } else {
    sample();
    process.send!({ before, growth: Math.max(highest, peak()) - before });
  }
});

/** The kernel misses no peak between two samples. */
function forgetPeak(): void {
  if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5');
}

function peak(): number {
  if (process.platform !== 'linux') return 0;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
}
