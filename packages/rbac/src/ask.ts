import type { AskOptions, Decision, Subject } from './decision.js';
import type { Engine } from './engine.js';
import { isAllowed, plainly, rule } from './judge.js';
import { relationOf, tenantFor, type PermissionQuestion } from './question.js';

/** Questions where there is no request. */
export interface Ask {
  /** @throws E_PERMISSION_UNKNOWN */
  questionFor(permission: string): PermissionQuestion;
  decide(subject: Subject, permission: string, about?: AskOptions): Promise<Decision>;
  can(subject: Subject, permission: string, about?: AskOptions): Promise<boolean>;
}

export function createAsk(engine: Engine): Ask {
  const { actors, catalogue, entryNow, facts } = engine;
  const questions = new Map<string, PermissionQuestion>();
  const questionFor = (permission: string): PermissionQuestion => {
    let question = questions.get(permission);
    // As many as there are names: unknown ones throw.
    if (!question) questions.set(permission, (question = engine.questionOf([permission], 'all')));
    return question;
  };

  async function decide(subject: Subject, permission: string, about: AskOptions = {}): Promise<Decision> {
    const question = questionFor(permission);
    const principal = engine.asPrincipal(subject);
    if (!principal) return engine.refusal(question, 'anonymous');
    try {
      const found =
        (about.fresh ? undefined : engine.factsNow(principal)) ??
        (await engine.factsOf(principal, about.fresh === true));
      const relation = relationOf(about.owner, principal.id);
      return engine.conclude(principal, found, question, relation, tenantFor(principal, about), about.object);
    } catch (error) {
      return engine.refusal(question, 'unavailable', principal, error);
    }
  }

  const answers = { yes: Promise.resolve(true), no: Promise.resolve(false) };

  /** With the facts in memory there is nothing to wait for, and nothing to be made. */
  function can(subject: Subject, permission: string, about: AskOptions = NOTHING): Promise<boolean> {
    try {
      const entry = about === NOTHING && typeof subject === 'string' ? entryNow(subject) : undefined;
      if (entry !== undefined && actors === undefined) {
        const id = catalogue.direct(permission);
        const plain = id < 0 ? undefined : plainly(facts.heldPolicy, entry, id);
        if (plain !== undefined) return plain ? answers.yes : answers.no;
        const check = catalogue.check(permission);
        if (check !== undefined) {
          const ruling = rule(
            facts.heldPolicy,
            entry,
            check,
            'unknown',
            engine.moment(entry.timed, undefined),
          );
          return isAllowed(ruling) ? answers.yes : answers.no;
        }
      }
      const question = questionFor(permission);
      const principal = engine.asPrincipal(subject);
      if (!principal) return answers.no;
      const found = about.fresh ? undefined : engine.factsNow(principal);
      if (!found) return decide(subject, permission, about).then(({ allowed }) => allowed);
      const relation = relationOf(about.owner, principal.id);
      const place = tenantFor(principal, about);
      const { allowed } = engine.judge(principal, found, question, relation, place, about.object);
      return allowed ? answers.yes : answers.no;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  return { questionFor, decide, can };
}

const NOTHING: AskOptions = Object.freeze({});
