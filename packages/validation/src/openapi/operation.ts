import {
  guardsOf,
  type AuthorizationFacts,
  type ChainLink,
  type ServedRoute,
  type Stage,
} from '@portcullis/core';
import { propertiesOf } from '../coercion.js';
import type { ValidationFacts } from '../facts.js';
import type { PartName, Schema } from '../schema.js';
import type { UploadFacts } from '../uploads/facts.js';
import { authorizesOf, statusesOf, type RefusalShelf } from './refusals.js';
import { servedBody, servedResponses } from './served.js';
import { pascal, type Shelf } from './shelf.js';

/** What only people know about a route. */
export interface OperationText {
  readonly summary?: string;
  readonly description?: string;
  /** @default made from method and path: `postBooksById` */
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly deprecated?: boolean;
  /** Further answers, or better words, by status: `{ 201: 'The new book', 404: 'There is no such book' }`. */
  readonly responses?: Readonly<Record<number, string>>;
}

export interface Route {
  readonly method: string;
  /** As Express has it. */
  readonly path: string;
  /** As OpenAPI has it. */
  readonly template: string;
  /** Path parameters: what the route calls them, and how the template shows them. */
  readonly names: readonly { readonly name: string; readonly shown: string }[];
  readonly chain: readonly ChainLink[];
  /** What a router of ours says of it. */
  readonly served: ServedRoute | undefined;
}

export interface Tools {
  readonly shelf: Shelf;
  readonly refusals: RefusalShelf;
  /** Names of security schemes. */
  readonly schemes: readonly string[];
}

type Facts = ValidationFacts['validates'];
type Authorizes = AuthorizationFacts['authorizes'];

export function describeOperation(
  route: Route,
  operationId: string,
  text: OperationText,
  tools: Tools,
): object {
  const { method, template, chain, served } = route;
  const validators = chain.flatMap(({ stage }) => factsOf(stage));
  const body = served
    ? servedBody(served, pascal(operationId), tools.shelf)
    : bodyOf(chain, validators, pascal(operationId), tools.shelf);
  const guards = guardsOf({ kind: 'route', methods: [method], path: template, chain });
  const parameters = [
    ...parametersOf(route, validators, pascal(operationId), tools.shelf),
    ...(served?.headers ?? []).map((header) => ({ ...header, in: 'header', schema: { type: 'string' } })),
  ];
  return {
    operationId,
    ...words({ ...(served ? { summary: served.summary } : {}), ...text }),
    ...securityOf(guards, tools.schemes),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: body } : {}),
    responses: responsesOf(route, validators, text, body !== undefined, pascal(operationId), tools),
  };
}

function words({ summary, description, tags = [], deprecated }: OperationText): object {
  return {
    ...(summary === undefined ? {} : { summary }),
    ...(description === undefined ? {} : { description }),
    ...(tags.length === 0 ? {} : { tags: [...tags] }),
    ...(deprecated ? { deprecated } : {}),
  };
}

/** `GET /books/{id}` is `getBooksById`. */
export function idOf({ method, template }: Route): string {
  const steps = template
    .split('/')
    .map((step) => (step.startsWith('{') ? `By ${step}` : step))
    .map(pascal);
  return method + (steps.join('') || 'Root');
}

function factsOf(stage: Stage | undefined): readonly Facts[] {
  const { validates } = (stage?.facts ?? {}) as Partial<ValidationFacts>;
  return stage?.kind === 'validate' && validates ? [validates] : [];
}

/**
 * Any scheme will do; what exactly is asked for is in `x-authorize`, in the words of the guards, and by names in `x-permissions` and
 * `x-roles`: all of the list are needed, of an `anyOf` in it one.
 */
function securityOf(guards: readonly Stage[], schemes: readonly string[]): object {
  const asking = guards.filter(({ kind }) => kind === 'authorize');
  if (asking.length === 0) return guards.length === 0 ? {} : { security: [] };
  const words = asking.flatMap(({ detail }) => detail ?? []);
  return {
    ...(schemes.length === 0 ? {} : { security: schemes.map((name) => ({ [name]: [] })) }),
    ...(words.length === 0 ? {} : { 'x-authorize': words.join(' and ') }),
    ...named('x-permissions', 'permissions', asking),
    ...named('x-roles', 'roles', asking),
  };
}

function named(key: string, asks: Authorizes['asks'], guards: readonly Stage[]): object {
  const needed = guards.flatMap((guard): (string | { anyOf: readonly string[] })[] => {
    const facts = authorizesOf(guard);
    if (facts?.asks !== asks) return [];
    return facts.of === 'any' && facts.names.length > 1 ? [{ anyOf: [...facts.names] }] : [...facts.names];
  });
  return needed.length === 0 ? {} : { [key]: needed };
}

const PLACES = [
  ['query', 'query'],
  ['headers', 'header'],
  ['cookies', 'cookie'],
] as const satisfies readonly (readonly [PartName, string])[];
/** OpenAPI says these elsewhere. */
const NO_PARAMETERS = new Set(['accept', 'content-type', 'authorization']);

function parametersOf(
  { names }: Route,
  validators: readonly Facts[],
  id: string,
  shelf: Shelf,
): readonly object[] {
  const inPath = names.map(({ name, shown }) => {
    const schema = validators.map(({ parts }) => memberOf(parts.params, name, `${id}Params`, shelf));
    return {
      name: shown,
      in: 'path',
      required: true,
      schema: schema.find((one) => one !== undefined) ?? { type: 'string' },
    };
  });
  const others = PLACES.flatMap(([part, place]) =>
    validators.flatMap(({ parts }) => {
      const root = parts[part];
      if (root === undefined) return [];
      const required = (root['required'] ?? []) as readonly string[];
      return Object.keys(propertiesOf(root))
        .filter((name) => part !== 'headers' || !NO_PARAMETERS.has(name))
        .map((name) => ({
          name,
          in: place,
          ...(required.includes(name) ? { required: true } : {}),
          schema: memberOf(root, name, `${id}${pascal(part)}`, shelf)!,
        }));
    }),
  );
  const seen = new Set<string>();
  return [...inPath, ...others].filter(({ name, in: place }) => {
    const key = `${place} ${name}`;
    return !seen.has(key) && seen.add(key);
  });
}

function memberOf(root: Schema | undefined, name: string, id: string, shelf: Shelf): Schema | undefined {
  const member = root && propertiesOf(root)[name];
  return member && shelf.putMember(root, member, `${id}${pascal(name)}`);
}

function bodyOf(
  chain: readonly ChainLink[],
  validators: readonly Facts[],
  id: string,
  shelf: Shelf,
): object | undefined {
  const upload = chain.map(({ stage }) => receivesOf(stage)).find((one) => one !== undefined);
  if (upload) return { required: true, content: { 'multipart/form-data': uploadForm(upload) } };
  const judged = validators.find(({ parts }) => parts.body !== undefined);
  if (!judged) return undefined;
  const schema = shelf.put(judged.parts.body!, `${id}Body`);
  return { required: true, content: Object.fromEntries(judged.bodyTypes.map((type) => [type, { schema }])) };
}

function receivesOf(stage: Stage | undefined): UploadFacts['receives'] | undefined {
  const { receives } = (stage?.facts ?? {}) as Partial<UploadFacts>;
  return receives;
}

function uploadForm({ files, fields }: UploadFacts['receives']): object {
  const file = { type: 'string', contentMediaType: 'application/octet-stream' };
  const many = (one: object, max: number) => (max === 1 ? one : { type: 'array', items: one, maxItems: max });
  const properties = Object.fromEntries([
    ...files.map(({ name, maxCount }) => [name, many(file, maxCount)] as const),
    ...fields.map(({ name, maxCount, maxBytes }) => {
      return [name, many({ type: 'string', maxLength: maxBytes }, maxCount)] as const;
    }),
  ]);
  const required = [...files, ...fields].filter((one) => one.required).map(({ name }) => name);
  const types = files.filter((one) => one.mediaTypes.length > 0);
  return {
    schema: {
      type: 'object',
      properties,
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    },
    encoding: Object.fromEntries(
      types.map(({ name, mediaTypes }) => [name, { contentType: mediaTypes.join(', ') }]),
    ),
  };
}

function responsesOf(
  { method, chain, served }: Route,
  validators: readonly Facts[],
  text: OperationText,
  hasBody: boolean,
  id: string,
  { shelf, refusals }: Tools,
): object {
  const own = text.responses ?? {};
  const responses: Record<string, object> = {};
  for (const { response } of validators) {
    for (const [status, schema] of Object.entries(response)) {
      // OpenAPI writes classes in capitals.
      const name = status.endsWith('xx') ? status.toUpperCase() : status;
      const description = own[Number(status)] ?? 'Done';
      responses[name] = {
        description,
        content: { 'application/json': { schema: shelf.put(schema, `${id}${pascal(name)}`) } },
      };
    }
  }
  if (served) Object.assign(responses, servedResponses(served, own, id, { shelf, refusals }));
  const asked = { safe: ['get', 'head', 'options', 'trace'].includes(method), hasBody };
  const taken = validators.some(({ unique }) => unique.length > 0) ? [409, 503] : [];
  for (const status of [...statusesOf(chain, asked), ...taken]) {
    responses[status] ??= refusals.response(status, own[status]);
  }
  for (const [status, description] of Object.entries(own)) {
    responses[status] ??=
      Number(status) < 400 ? { description } : refusals.response(Number(status), description);
  }
  if (!Object.keys(responses).some((status) => /^[123d]/.test(status))) {
    responses['200'] = { description: 'Done' };
  }
  // Integer-like names come first and in order, whatever the order of insertion; classes and `default` follow.
  return responses;
}
