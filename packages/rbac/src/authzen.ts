import { guard, type Events, type Middleware, type Principal, type SecurityRequest } from '@portcullis/core';
import type { AskOptions, Decision } from './decision.js';
import { errors } from './error-codes.js';
import { answerJson, bodyOf, segmentsOf } from './exchange.js';
import { isUserId } from './records.js';

/** As the AuthZEN Authorization API 1.0 writes them; more members may come and are kept. */
export interface EvaluationRequest {
  readonly subject: { readonly type: string; readonly id: string; readonly properties?: object };
  readonly action: { readonly name: string; readonly properties?: object };
  readonly resource: { readonly type: string; readonly id: string; readonly properties?: object };
  readonly context?: object;
}

export interface AuthzenOptions {
  /** Which permission a request asks for; undefined is denied. @default `resource.type:action.name` */
  permission?(request: EvaluationRequest): string | undefined;
  /** Owner, tenant and object of the resource, as this app knows them. @default none */
  about?(request: EvaluationRequest): AskOptions | Promise<AskOptions>;
  /** Our user's id for a subject; undefined is denied. @default the id of subjects of type `user` */
  user?(subject: EvaluationRequest['subject']): string | undefined;
  /** Evaluations of one request, 1 to 1,000. @default 100 */
  readonly maxEvaluations?: number;
}

export interface AuthzenDeps {
  readonly events: Events;
  readonly principalOf: (req: SecurityRequest) => Principal | undefined | Promise<Principal | undefined>;
  readonly require: (principal: Principal | undefined, permission: string) => Promise<unknown>;
  readonly isKnown: (permission: string) => boolean;
  readonly decide: (user: string, permission: string, about: AskOptions) => Promise<Decision>;
}

const SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const;

type Given = { readonly [K in keyof AuthzenOptions]: AuthzenOptions[K] | undefined };

/**
 * A policy decision point for gateways and services that speak AuthZEN: `POST /evaluation` and `POST /evaluations` below where it is
 * mounted (`/access/v1`). Who asks has to be allowed `rbac:evaluate`. What cannot be found out is a 503, never a decision.
 * @see https://openid.net/specs/authorization-api-1_0.html
 */
export function createAuthzen(deps: AuthzenDeps, options: Given): Middleware {
  const {
    permission = ({ resource, action }) => `${resource.type}:${action.name}`,
    user = ({ type, id }) => (type === 'user' ? id : undefined),
    about = () => ({}),
    maxEvaluations = 100,
  } = options;

  async function evaluate(request: EvaluationRequest): Promise<{ decision: boolean }> {
    const asked = permission(request);
    const who = user(request.subject);
    if (asked === undefined || !deps.isKnown(asked) || !isUserId(who)) return { decision: false };
    const decision = await deps.decide(who, asked, about(request));
    if (decision.reason === 'unavailable') throw decision.cause;
    return { decision: decision.allowed };
  }

  async function evaluateAll(body: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { evaluations, options: how, ...defaults } = body;
    if (evaluations === undefined || (Array.isArray(evaluations) && evaluations.length === 0)) {
      return evaluate(read(defaults));
    }
    if (!Array.isArray(evaluations) || evaluations.length > maxEvaluations) {
      throw errors.E_EVALUATION_INVALID({ message: `evaluations is a list of at most ${maxEvaluations}.` });
    }
    const semantic =
      (how as { evaluations_semantic?: unknown } | undefined)?.evaluations_semantic ?? SEMANTICS[0];
    if (!SEMANTICS.includes(semantic as never)) {
      throw errors.E_EVALUATION_INVALID({
        message: `evaluations_semantic is one of ${SEMANTICS.join(', ')}.`,
      });
    }
    // All of them are read first: a malformed one changes no answer of the others.
    const requests = evaluations.map((each: unknown) => {
      if (typeof each === 'object' && each !== null && !Array.isArray(each)) {
        return read({ ...defaults, ...each });
      }
      throw errors.E_EVALUATION_INVALID({ message: 'Each of the evaluations is an object.' });
    });
    const decisions: { decision: boolean }[] = [];
    for (const request of requests) {
      const answer = await evaluate(request);
      decisions.push(answer);
      if (semantic === 'deny_on_first_deny' && !answer.decision) break;
      if (semantic === 'permit_on_first_permit' && answer.decision) break;
    }
    return { evaluations: decisions };
  }

  return guard(
    'authzen',
    { stage: 'authorize', detail: 'rbac:evaluate', events: deps.events },
    async (req, res) => {
      await deps.require(await deps.principalOf(req), 'rbac:evaluate');
      const requestId = req.headers['x-request-id'];
      if (typeof requestId === 'string' && /^[\x21-\x7e]{1,200}$/.test(requestId))
        res.setHeader('X-Request-ID', requestId);
      const [what = '', ...more] = segmentsOf(req) ?? [''];
      if (!['evaluation', 'evaluations'].includes(what) || more.length > 0)
        throw errors.E_RESOURCE_NOT_FOUND();
      if (req.method !== 'POST') {
        res.setHeader('Allow', 'POST');
        throw errors.E_METHOD_NOT_ALLOWED();
      }
      const body = bodyOf(req);
      if (!body)
        throw errors.E_EVALUATION_INVALID({
          message: 'The body is a JSON object, read by a parser before this.',
        });
      answerJson(req, res, 200, what === 'evaluation' ? await evaluate(read(body)) : await evaluateAll(body));
      return undefined;
    },
  );
}

function read(value: Readonly<Record<string, unknown>>): EvaluationRequest {
  const entity = (name: string, members: readonly string[]): void => {
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    const sound =
      typeof given === 'object' &&
      given !== null &&
      members.every((member) => {
        const text = Object.hasOwn(given, member) ? (given as Record<string, unknown>)[member] : undefined;
        return typeof text === 'string' && text !== '' && text.length <= 1000;
      });
    if (!sound) {
      throw errors.E_EVALUATION_INVALID({
        message: `${name} needs ${members.join(' and ')}, each a string.`,
      });
    }
  };
  entity('subject', ['type', 'id']);
  entity('action', ['name']);
  entity('resource', ['type', 'id']);
  return value as unknown as EvaluationRequest;
}
