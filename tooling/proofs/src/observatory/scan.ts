// Child of observatory.ts: the Observatory's own scan of the hosts named as arguments, as JSON. A process of its own, because
// Node.js reads NODE_EXTRA_CA_CERTS once, at its start.
import fs from 'node:fs';

// The package downloads Chromium's preload list when it is installed; no host of ours is in it, and nobody needs the network.
const readFileSync = fs.readFileSync.bind(fs);
fs.readFileSync = ((path: fs.PathOrFileDescriptor, ...rest: []) =>
  String(path).endsWith('hsts-preload.json') ? '{}' : readFileSync(path, ...rest)) as typeof fs.readFileSync;

const { scan } = await import('@mdn/mdn-http-observatory/src/scanner/index.js');
const results = [];
for (const host of process.argv.slice(2)) {
  const { scan: summary, tests } = await scan(host);
  results.push({
    host,
    grade: summary.grade,
    score: summary.score,
    passed: summary.testsPassed,
    tests: Object.entries(tests).map(([name, { result, pass, scoreModifier }]) => ({
      name,
      result,
      pass,
      points: scoreModifier,
    })),
  });
}
process.stdout.write(JSON.stringify(results));
