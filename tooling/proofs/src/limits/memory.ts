import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { control, type Claim, type Section } from './claim.js';
import type { Engine, Filled, Worked } from './memory-child.js';

/** For a million keys. */
const BOUND_MIB = 100;

/** A process of its own, so that nothing else lies in its memory. */
async function inChild<T>(...args: readonly string[]): Promise<T> {
  const file = fileURLToPath(new URL('./memory-child.ts', import.meta.url));
  const child = fork(file, args, { execArgv: [...process.execArgv, '--expose-gc'] });
  const [answer] = (await once(child, 'message')) as [T];
  child.kill();
  return answer;
}

export async function proveMemory(_url: string, short: boolean): Promise<Section> {
  const claims: Claim[] = [];
  const keys = short ? 200_000 : 1_000_000;
  const most = (BOUND_MIB * keys) / 1_000_000;
  const fill = async (engine: Engine): Promise<Filled> => inChild('fill', engine, String(keys));
  const told = ({ mib, moreMib, longestMs }: Filled): string =>
    `${mib.toFixed(1)} MiB, ${moreMib.toFixed(1)} MiB after as many more; longest call ${longestMs.toFixed(1)} ms`;

  for (const engine of ['window', 'rate'] as const) {
    const filled = await fill(engine);
    claims.push({
      what: `${engine} in memory, ${keys} keys: within ${most} MiB, and no more with twice as many`,
      measured: `${told(filled)}; ${filled.overflows} event at the bound, ${filled.forgotten} of 1,000 counts forgotten`,
      holds: filled.mib < most && filled.moreMib < most && filled.overflows === 1 && filled.forgotten === 0,
    });
  }
  const shadow = await inChild<Filled>('fill', 'redis', String(keys / 10));
  claims.push({
    what: `what a process holds beside Redis, ${keys / 10} keys${short ? '' : ' (the default bound)'}, with permits ahead: within ${BOUND_MIB} MiB`,
    measured: `${shadow.mib.toFixed(1)} MiB, ${shadow.moreMib.toFixed(1)} MiB after as many more`,
    holds: shadow.mib < BOUND_MIB && shadow.moreMib < BOUND_MIB,
  });
  for (const engine of ['express-rate-limit', 'rate-limiter-flexible'] as const) {
    const filled = await fill(engine);
    claims.push(
      control(
        `${engine} in memory, ${keys} keys`,
        told(filled),
        filled.mib > most && filled.moreMib > 1.5 * filled.mib,
      ),
    );
  }

  // Under a proxy each look into a table costs a thousand times as much.
  const few = short ? 20_000 : 1_000_000;
  for (const engine of ['window', 'rate'] as const) {
    const { worst, mean, worstAtEnd } = await inChild<Worked>('work', engine, String(few));
    claims.push({
      what: `${engine} in memory: no call sweeps`,
      measured: `${few} keys: ${mean.toFixed(1)} cells read or written a call, ${worst} in the worst (${((100 * worst) / few).toFixed(1)} % of what a sweep would look at); ${worstAtEnd} in the worst call after all windows had ended`,
      // One part of 256 is copied when it grows, six cells an entry: read, written and looked at.
      holds: worst < few / 8 && worstAtEnd < 1000 && mean < 100,
    });
  }
  const swept = await inChild<Worked>('work', 'swept', String(few));
  claims.push(
    control(
      'a table that is swept when its time has come',
      `${few} keys: ${swept.worstAtEnd} cells in the worst call after all windows had ended`,
      swept.worstAtEnd >= few,
    ),
  );
  return {
    title: 'A million keys',
    note: `Each key is an address that asks once; every engine in a process of its own. Memory is heap and what is outside of it (\`external\`), after a full collection, less what was there before the first key; ours with \`maxKeys: ${keys}\`, then as many further keys. Work is counted: all cells of the tables that one call reads or writes.`,
    claims,
  };
}
