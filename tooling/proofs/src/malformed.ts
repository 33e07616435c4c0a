// pnpm prove:malformed [--requests 100000] [--short] [--write]: malformed and hostile HTTP over raw sockets, at the digital
// library and at a shop of all packages on Express 4 and 5. Nothing but typed 4xx answers or a closed connection comes back,
// the process lives, and its memory is bounded. The control is the shop on bare Express.
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { HOST } from './corpus/check.js';
import { send } from './corpus/wire.js';
import { attacks, type Attack } from './malformed/attacks.js';
import { seeded, spoilt } from './malformed/fuzz.js';
import { fault } from './malformed/judge.js';
import { Target, type Places } from './malformed/target.js';
import { markdownTable } from './markdown-table.js';

const { values: flags } = parseArgs({
  options: { requests: { type: 'string' }, short: { type: 'boolean' }, write: { type: 'boolean' } },
});
const requests = Number(flags.requests ?? (flags.short ? 200 : 100_000));
/** What a process may hold more after all of it than before, in MiB. */
const GROWTH_MIB = 32;
const TOGETHER = 16;

/** Behind a proxy that ends TLS and names the client. */
const shop = (i: number): Places => ({
  host: HOST,
  page: '/api/hello',
  json: '/api/items',
  form: '/form',
  file: '/files/app.js',
  proxied: ['X-Forwarded-Proto: https', `X-Forwarded-For: 198.18.${(i >> 8) & 255}.${i & 255}`],
});
/** As `npm start` opens it. */
const library = (_i: number, port: number): Places => ({
  host: `127.0.0.1:${port}`,
  page: '/books',
  json: '/api/auth/register',
  form: '/sign-in',
  file: '/assets/style.css',
  proxied: [],
});
type PlacesOf = typeof library;

interface Outcome {
  readonly name: string;
  readonly faults: ReadonlyMap<string, number>;
  readonly alive: boolean;
  readonly serves: boolean;
  readonly statuses: ReadonlyMap<string, number>;
  readonly sent: number;
  readonly growthMib: number;
  readonly rssMib: number;
}

/** Requests come from many addresses, so that limits do not answer in the place of what is tested. */
function addressOf(i: number): string {
  return `127.${1 + ((i >> 15) & 127)}.${(i >> 7) & 255}.${1 + (i & 127)}`;
}

async function assault(name: string, placesOf: PlacesOf): Promise<Outcome> {
  const target = await Target.start(name);
  const faults = new Map<string, number>();
  const statuses = new Map<string, number>();
  const more = (of: Map<string, number>, key: string): void => void of.set(key, (of.get(key) ?? 0) + 1);
  let sent = 0;
  const places = (): Places => placesOf(sent, target.port);
  const direct = places().proxied.length === 0;
  const plain = ({ page, host, proxied }: Places): string =>
    [`GET ${page} HTTP/1.1`, `Host: ${host}`, ...proxied, '', ''].join('\r\n');

  const one = async (
    bytes: Buffer | string,
    attack: Pick<Attack, 'name'> & Partial<Attack>,
  ): Promise<void> => {
    const text = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    const { must = 'answer', then, waitMs = 15_000 } = attack;
    const exchange = await send(target.port, text, {
      waitMs,
      answers: 1,
      ...(direct ? { from: addressOf(sent) } : {}),
      ...(then ? { then } : {}),
    });
    sent++;
    const { answers, closed } = exchange;
    const [first] = answers;
    more(statuses, first ? `${Math.floor(first.status / 100)}xx` : closed ? 'closed' : 'nothing');
    const wrong = fault(exchange, must);
    if (wrong !== undefined) more(faults, `${attack.name}: ${wrong}`);
  };
  const inTurns = async (count: number, work: (i: number) => Promise<void>): Promise<void> => {
    let next = 0;
    await Promise.all(
      Array.from({ length: TOGETHER }, async () => {
        while (next < count && target.alive) await work(next++);
      }),
    );
  };

  try {
    // What runs for the first time is slow.
    await inTurns(300, async () => one(plain(places()), { name: 'plain', waitMs: 60_000 }));
    if (statuses.get('2xx') !== 300) throw new Error(`${name} does not serve what is right.`);
    statuses.clear();
    const chance = seeded(20_261_129);
    const random = async (): Promise<void> => {
      const bytes = spoilt(places(), chance);
      const told = JSON.stringify(bytes.toString('latin1').slice(0, 400));
      await one(bytes, { name: `spoilt ${told}`, then: leaving });
    };
    // Buffers and pools have their size once some of it has been seen.
    await inTurns(Math.min(300, requests), random);
    const before = await target.memory();
    await inTurns(attacks.length, async (i) => one(attacks[i]!.bytes(places()), attacks[i]!));
    await inTurns(requests, random);
    const last = target.alive ? await send(target.port, plain(places()), { answers: 1 }) : undefined;
    const serves = last?.answers[0]?.status === 200;
    const after = target.alive ? await target.memory() : undefined;
    return {
      name,
      faults,
      statuses,
      sent,
      serves,
      alive: target.alive,
      growthMib: (after?.heldMib ?? Number.NaN) - before.heldMib,
      rssMib: after?.rssMib ?? Number.NaN,
    };
  } finally {
    await target.stop();
  }
}

/** A spoilt request may be half a request, for which a server rightly waits: its client goes away. */
const leaving = (socket: Socket): void => {
  const timer = setTimeout(() => socket.end(), 300);
  socket.on('close', () => clearTimeout(timer));
};

const started = performance.now();
const rows: string[][] = [];
let fails = 0;
const houses: readonly (readonly [string, PlacesOf])[] = [
  ['Portcullis on Express 5', shop],
  ['Portcullis on Express 4', shop],
  ['Digital library', library],
  ['bare Express 5', shop],
];
// All together: what takes long is waiting for slow clients.
const outcomes = await Promise.all(houses.map(([name, placesOf]) => assault(name, placesOf)));
for (const { name, faults, statuses, alive, serves, sent, growthMib, rssMib } of outcomes) {
  const control = name.startsWith('bare');
  const bounded = growthMib < GROWTH_MIB;
  const wrong = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const holds = control ? wrong > 0 : wrong === 0 && alive && serves && bounded;
  if (!holds) fails++;
  const told = [...statuses]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([status, count]) => `${status} ${count}`)
    .join(', ');
  const measured = `${sent} requests: ${told}; ${wrong} wrong${alive ? '' : '; the process ended'}${serves ? '' : '; no answer afterwards'}`;
  const memory = `${growthMib >= 0 ? '+' : ''}${growthMib.toFixed(1)} MiB held, ${rssMib.toFixed(0)} MiB RSS`;
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${control ? 'control: ' : ''}${name}: ${measured}; ${memory}`);
  const shown = [...faults].sort(([, a], [, b]) => b - a).slice(0, control ? 5 : 40);
  for (const [what, count] of shown) console.log(`       ${count} x ${what}`);
  const kinds = new Map<string, number>();
  for (const [what, count] of faults) {
    const kind = what.slice(what.lastIndexOf(': ') + 2);
    kinds.set(kind, (kinds.get(kind) ?? 0) + count);
  }
  const wrongs = [...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ');
  rows.push([control ? `control: ${name}` : name, measured, wrongs === '' ? 'none' : wrongs, memory]);
}
const seconds = Math.round((performance.now() - started) / 1000);
console.log(
  `malformed: ${attacks.length} named attacks and ${requests} spoilt requests at each, ${seconds} s, ${fails} fail`,
);
if (flags.write)
  writeFileSync(
    new URL('../../../docs/proofs/malformed.md', import.meta.url),
    `# Malformed requests

\`pnpm prove:malformed --write\`, ${new Date().toISOString().slice(0, 10)}, ${seconds} s, Node.js ${process.version}.

${attacks.length} named attacks and ${requests} requests spoilt at random (seeded) over raw sockets, at each: request smuggling, bad chunks, huge and broken header fields, odd paths and bodies, slow clients, aborted uploads. Right is a typed 4xx answer or a closed connection, and for what is odd but allowed an answer; never a 5xx, a trace, an answer to what has to be refused, or a client that is left waiting. \`NODE_ENV\` is not set. Memory is what the process holds more after a full collection than before the attacks, less than ${GROWTH_MIB} MiB.

${markdownTable(['served by', 'answers', 'wrong', 'memory'], rows)}
`,
  );
process.exit(fails === 0 ? 0 : 1);
