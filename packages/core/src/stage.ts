const STAGE = Symbol.for('portcullis.stage');

/** The place of a middleware in the way of a request (design section 3). */
export type StageKind =
  | 'context'
  | 'observe'
  | 'posture'
  | 'gate'
  | 'limit'
  | 'body'
  | 'identify'
  | 'authorize'
  | 'public'
  | 'validate'
  | 'errors';

export interface Stage {
  readonly kind: StageKind;
  /** What is shown in the floor plan, such as `book:create` or `100/min`. */
  readonly detail?: string;
  /** The function's name, such as `requirePermission`. */
  readonly name: string;
  /** What tools that read routes may want to know, such as the schemas of a validator. */
  readonly facts?: object;
}

/** `facts` of a guard that asks for permissions or roles, for documents that say what a route needs. */
export interface AuthorizationFacts {
  readonly authorizes: {
    /** What the names are. */
    readonly asks: 'permissions' | 'roles';
    readonly names: readonly string[];
    /** How many of them are needed. */
    readonly of: 'any' | 'all';
    /** It looks for an object, and answers 404 if there is none. */
    readonly loads: boolean;
  };
}

/** Tags a middleware so that the router walker can say what guards a route. */
export function tagStage<F extends (...args: never[]) => unknown>(fn: F, stage: Stage): F {
  Object.defineProperty(fn, STAGE, { value: Object.freeze(stage), enumerable: false });
  Object.defineProperty(fn, 'name', { value: stage.name, configurable: true });
  return fn;
}

/** The tag of a middleware, or undefined for one that is not ours. */
export function stageOf(fn: unknown): Stage | undefined {
  return typeof fn === 'function' ? (fn as { [STAGE]?: Stage })[STAGE] : undefined;
}
