import type { AskOptions, Decision, Subject } from './decision.js';
import type { Engine } from './engine.js';
import { isAllowed, plainly, rule, type UserEntry } from './judge.js';
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

  const yes = Promise.resolve(true);
  const no = Promise.resolve(false);

  /** With the facts in memory there is nothing to wait for, and nothing to be made. Short, so that all of it is compiled as one. */
  function can(subject: Subject, permission: string, about?: AskOptions): Promise<boolean> {
    if (about !== undefined || typeof subject !== 'string' || actors !== undefined) {
      return canOtherwise(subject, permission, about ?? NOTHING, undefined);
    }
    const entry = entryNow(subject);
    if (entry !== undefined) {
      const id = catalogue.direct(permission);
      const plain = id < 0 ? undefined : plainly(facts.heldPolicy, entry, id);
      if (plain !== undefined) return plain ? yes : no;
    }
    return canOtherwise(subject, permission, NOTHING, entry);
  }

  /** @param entry if there is nothing else to the question, and it counts now */
  function canOtherwise(
    subject: Subject,
    permission: string,
    about: AskOptions,
    entry: UserEntry | undefined,
  ): Promise<boolean> {
    try {
      const check = entry && catalogue.check(permission);
      if (check) {
        const moment = engine.moment(entry.timed, undefined);
        return isAllowed(rule(facts.heldPolicy, entry, check, 'unknown', moment)) ? yes : no;
      }
      const question = questionFor(permission);
      const principal = engine.asPrincipal(subject);
      if (!principal) return no;
      const found = about.fresh ? undefined : engine.factsNow(principal);
      if (!found) return decide(subject, permission, about).then(({ allowed }) => allowed);
      const relation = relationOf(about.owner, principal.id);
      const place = tenantFor(principal, about);
      const { allowed } = engine.judge(principal, found, question, relation, place, about.object);
      return allowed ? yes : no;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  return { questionFor, decide, can };
}

const NOTHING: AskOptions = Object.freeze({});
