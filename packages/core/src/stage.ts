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
