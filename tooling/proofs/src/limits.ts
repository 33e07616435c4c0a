// pnpm prove:limits [--short] [--write] [--only gcra|processes|outages|memory]: rates are exact, and hold across processes. Each claim stands beside
// a control: something known to be wrong that the same harness must find.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startRedis } from '@portcullis/test-support/servers';
import { Redis } from 'ioredis';
import type { Section } from './limits/claim.js';
import { proveGcra } from './limits/gcra.js';
import { proveMemory } from './limits/memory.js';
import { proveOutages } from './limits/outages.js';
import { proveProcesses } from './limits/processes.js';
import { report } from './limits/report.js';

const { values: flags } = parseArgs({
  options: { short: { type: 'boolean' }, write: { type: 'boolean' }, only: { type: 'string' } },
});
const parts: Record<string, (url: string, short: boolean) => Promise<Section>> = {
  gcra: proveGcra,
  processes: proveProcesses,
  outages: proveOutages,
  memory: proveMemory,
};

const started = performance.now();
const sections: Section[] = [];
let version = 'unknown';
for (const [name, prove] of Object.entries(parts)) {
  if (flags.only !== undefined && flags.only !== name) continue;
  const redis = await startRedis();
  try {
    version = await versionOf(redis.url);
    const section = await prove(redis.url, flags.short === true);
    sections.push(section);
    console.log(section.title);
    for (const { what, measured, holds } of section.claims)
      console.log(`  ${holds ? 'ok  ' : 'FAIL'} ${what}: ${measured}`);
  } finally {
    await redis.stop();
  }
}
const seconds = Math.round((performance.now() - started) / 1000);
const claims = sections.flatMap((section) => section.claims);
const failed = claims.filter(({ holds }) => !holds).length;
console.log(`limits: ${claims.length} claims and controls in ${seconds} s, ${failed} fail`);
if (flags.write)
  writeFileSync(
    new URL('../../../docs/proofs/limits.md', import.meta.url),
    report(sections, seconds, version),
  );
process.exit(failed === 0 && claims.length > 0 ? 0 : 1);

async function versionOf(url: string): Promise<string> {
  const client = new Redis(url);
  const [, found = 'unknown'] = /redis_version:(\S+)/.exec(await client.info('server')) ?? [];
  await client.quit();
  return found;
}
