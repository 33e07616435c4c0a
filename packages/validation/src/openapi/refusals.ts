import {
  inputProblemSchema,
  problemSchema,
  retryAfterHeader,
  type AuthorizationFacts,
  type ChainLink,
  type Stage,
} from '@portcullis/core';
import type { ValidationFacts } from '../facts.js';

/** A request, as far as it decides which refusals can come. */
export interface Asked {
  readonly safe: boolean;
  readonly hasBody: boolean;
}

type Rule = readonly (readonly [status: number, when?: (asked: Asked) => boolean])[];

const unsafe = ({ safe }: Asked): boolean => !safe;
const withBody = ({ hasBody }: Asked): boolean => hasBody;

/** What each of our stages answers by itself, by the name of the middleware or, where that is not listed, by its kind. */
const BY_NAME: Readonly<Record<string, Rule>> = Object.assign(Object.create(null), {
  csrf: [[403, unsafe]],
  'csrf.token': [[403, unsafe]],
  httpsOnly: [[403]],
  cors: [[403]],
  resourceIsolation: [[403]],
  requestFirewall: [[400], [404], [405], [421]],
  shedLoad: [[503]],
  strictQuery: [[400]],
  strictCookies: [[400]],
  uploads: [[400], [403], [408], [413], [415], [422], [503]],
  jsonParser: [
    [400, withBody],
    [413, withBody],
    [415, withBody],
  ],
  urlencodedParser: [
    [400, withBody],
    [413, withBody],
    [415, withBody],
  ],
});
const BY_KIND: Readonly<Record<string, Rule>> = Object.assign(Object.create(null), {
  context: [[400]],
  gate: [[403]],
  limit: [[429], [503]],
  body: [
    [400, withBody],
    [413, withBody],
    [415, withBody],
  ],
  identify: [[401], [503]],
  authorize: [[401], [403], [503]],
  validate: [[400], [415, withBody]],
});

/** The refusals of everything that stands in the way of a request. */
export function statusesOf(chain: readonly ChainLink[], asked: Asked): ReadonlySet<number> {
  const rules = chain.map(({ name, stage }): Rule => {
    if (judgesNoInput(stage)) return [];
    const usual = BY_NAME[name] ?? (stage && BY_KIND[stage.kind]) ?? [];
    return authorizesOf(stage)?.loads ? [...usual, [404]] : usual;
  });
  return new Set(rules.flat().flatMap(([status, when]) => ((when?.(asked) ?? true) ? [status] : [])));
}

export function authorizesOf(stage: Stage | undefined): AuthorizationFacts['authorizes'] | undefined {
  const { authorizes } = (stage?.facts ?? {}) as Partial<AuthorizationFacts>;
  return stage?.kind === 'authorize' ? authorizes : undefined;
}

/** A validator of answers refuses nobody. */
function judgesNoInput(stage: Stage | undefined): boolean {
  const { validates } = (stage?.facts ?? {}) as Partial<ValidationFacts>;
  return validates !== undefined && Object.keys(validates.parts).length === 0;
}

const RESPONSES: Readonly<Record<number, readonly [name: string, description: string]>> = {
  400: ['BadRequest', 'The request does not have the form that is accepted here.'],
  401: ['Unauthorized', 'Nobody is identified, or the credential is not valid.'],
  403: ['Forbidden', 'The request is not allowed.'],
  404: ['NotFound', 'There is nothing at this address.'],
  405: ['MethodNotAllowed', 'The method is not accepted here.'],
  408: ['RequestTimeout', 'The request did not arrive in time.'],
  409: ['Conflict', 'The request conflicts with what is there.'],
  413: ['ContentTooLarge', 'The body is larger than what is accepted here.'],
  415: ['UnsupportedMediaType', 'The body is of a type or coding that is not accepted here.'],
  421: ['MisdirectedRequest', 'The host is not one of this service.'],
  422: ['UnprocessableContent', 'The body holds something that is not accepted here.'],
  429: ['TooManyRequests', 'There were too many requests.'],
  503: ['ServiceUnavailable', 'The service is temporarily unavailable.'],
};

/** Refusals that have been used, as components. */
export class RefusalShelf {
  readonly #used = new Set<number>();
  #problem = false;

  /** A reference to the common answer of this status, or one with words of its own. */
  response(status: number, description?: string): object {
    this.#problem = true;
    const common = RESPONSES[status];
    if (description === undefined && common) {
      this.#used.add(status);
      return { $ref: `#/components/responses/${common[0]}` };
    }
    return { description: description ?? `Refused with ${status}.`, content: contentOf('Problem') };
  }

  responses(): Record<string, object> {
    return Object.fromEntries(
      [...this.#used].map((status) => {
        const [name, description] = RESPONSES[status]!;
        const later = status === 429 || status === 503;
        return [
          name,
          {
            description,
            ...(later ? { headers: { 'Retry-After': retryAfterHeader } } : {}),
            content: contentOf(status === 400 || status === 409 ? 'ValidationProblem' : 'Problem'),
          },
        ];
      }),
    );
  }

  schemas(): Record<string, object> {
    if (!this.#problem) return {};
    const validation = this.#used.has(400) || this.#used.has(409);
    return { Problem: problemSchema, ...(validation ? { ValidationProblem: VALIDATION_PROBLEM } : {}) };
  }
}

function contentOf(name: string): object {
  return { 'application/problem+json': { schema: { $ref: `#/components/schemas/${name}` } } };
}

const VALIDATION_PROBLEM = {
  allOf: [{ $ref: '#/components/schemas/Problem' }],
  type: 'object',
  properties: { errors: { type: 'array', items: inputProblemSchema } },
};
