import { ALLOW, context, guard } from '@portcullis/core';
import { costCase, exchange, mustPass, type CostGroup } from './harness.js';

type Pair = ReturnType<typeof exchange>;

const allow = guard('allow', { stage: 'posture' }, () => ALLOW);
const identify = context({ trustProxy: false });

export const groups: readonly CostGroup[] = [
  {
    title: 'A guard',
    note: 'What failing closed costs: middleware that does nothing, as plain function and through `guard()`.',
    batch: 1000,
    cases: [
      costCase<Pair>({
        name: 'plain middleware',
        prepare: () => exchange(),
        call: (): void => mustPass(),
      }),
      costCase<Pair>({
        name: 'guard()',
        prepare: () => exchange(),
        call: ({ req, res }) => allow(req as never, res as never, mustPass),
      }),
      costCase<Pair>({
        name: 'context()',
        prepare: () => exchange(),
        call: ({ req, res }) => identify(req as never, res as never, mustPass),
      }),
    ],
  },
];
