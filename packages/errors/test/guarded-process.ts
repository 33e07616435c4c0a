// The process under test of guard-process.test.ts; the scenario is its argument.
import { setTimeout as delay } from 'node:timers/promises';
import { createRedactor } from '@portcullis/redact';
import { guardProcess } from '../src/guard-process.js';
import { secureServer, type RequestListener } from '../src/server.js';

const scenario = process.argv[2] ?? '';
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const explode = (): never => {
  throw new Error('boom');
};
const databaseError = (): Error =>
  Object.assign(new Error('failing row contains (7, hunter2-Tr0ub4dor)'), {
    details: { password: 'hunter2-Tr0ub4dor' },
  });
const redactors: Record<string, (value: unknown) => unknown> = {
  redacted: createRedactor().redact,
  'bad-redactor': (value) => {
    throw new Error(JSON.stringify(value));
  },
};
const redact = redactors[scenario];
const quoting = ['redacted', 'unredacted', 'bad-redactor'].includes(scenario);
const forever = new Promise<never>(() => undefined);

const app: RequestListener = async (_req, res) => {
  say('entered');
  await delay(400);
  res.end('finished');
};
const server = secureServer(app, { drainMs: '5s' });

const guard = guardProcess({
  timeoutMs: scenario === 'hang' || scenario === 'hanging-report' ? 500 : '10s',
  ...(redact ? { redact } : {}),
  logger: {
    error: (message, meta) => say(`error ${message} ${JSON.stringify(meta)}`),
    warn: (message) => say(`warn ${message}`),
    info: (message) => {
      if (scenario === 'bad-hooks') throw new Error('logger');
      say(`info ${message}`);
    },
  },
  report: async (error, { origin }) => {
    say(`report ${origin} ${quoting ? 'an error' : String(error)}`);
    if (scenario === 'bad-hooks') throw new Error('report');
    if (scenario === 'report-loop') queueMicrotask(explode);
    if (scenario === 'hanging-report') await forever;
    await delay(50);
    say('report flushed');
  },
  drain: [
    async (reason) => {
      say(`drain 1 ${reason}`);
      if (scenario === 'hang') await forever;
      if (quoting) throw databaseError();
      if (scenario === 'bad-hooks' || scenario === 'bad-drain') throw new Error('drain');
      say(`cut ${(await server.close()).cut}`);
    },
    () => say('drain 2'),
  ],
});
guard.ending.addEventListener('abort', () => say('ending'));

const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
say(`port ${port}`);

const failures: Record<string, () => unknown> = {
  exception: () => setImmediate(explode),
  rejection: () => void Promise.reject(new Error('boom')),
  quoting: () =>
    setImmediate(() => {
      throw databaseError();
    }),
  nothing: () => void Promise.reject(undefined),
  twice: () => {
    void Promise.reject(new Error('first'));
    setTimeout(explode, 20);
  },
  stop: () => guard.stop(),
};
const names: Record<string, string> = {
  redacted: 'quoting',
  unredacted: 'quoting',
  'bad-redactor': 'quoting',
  'bad-hooks': 'exception',
  hang: 'exception',
  'hanging-report': 'exception',
  'report-loop': 'exception',
};
failures[names[scenario] ?? scenario]?.();
if (scenario === 'crash-in-flight') setTimeout(explode, 250);
