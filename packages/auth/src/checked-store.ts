import { coreErrors, isSecurityError, option, within } from '@portcullis/core';

/** Real time that a port of the app may take. The stores of Portcullis have shorter deadlines of their own. */
const DEADLINE_MS = 8_000;

/** What somebody else's code answers: what it throws, now or later, is `unavailable`, and so is no answer at all. */
export async function answered<T>(ask: () => Promise<T>, unavailable: (cause: unknown) => Error): Promise<T> {
  const late = (): Error => unavailable(new Error(`There was no answer within ${DEADLINE_MS / 1000} s.`));
  try {
    return await within((async () => ask())(), DEADLINE_MS, late);
  } catch (error) {
    throw isSecurityError(error) ? error : unavailable(error);
  }
}

/** Reads a store, which may be the app's own; a fault of these methods of it is a 503. */
export function storeOption<T extends object>(methods: readonly (keyof T & string)[]) {
  const read = option.port<T>(methods);
  return (value: unknown, owner: string, path: string): T => checkedStore(read(value, owner, path), methods);
}

export function checkedStore<T extends object>(store: T, methods: readonly (keyof T & string)[]): T {
  const ask = (method: string, args: unknown[]) =>
    answered(
      () => (store as Record<string, (...args: unknown[]) => Promise<unknown>>)[method]!(...args),
      (cause) => coreErrors.E_STORE_UNAVAILABLE({ cause, details: { call: method } }),
    );
  const checked = new Map<string | symbol, unknown>(
    methods.map((method) => [method, (...args: unknown[]) => ask(method, args)]),
  );
  // Not a proxy of the store itself: of a frozen one a proxy may answer nothing else.
  return new Proxy({} as T, {
    get(_target, name) {
      const ours = checked.get(name);
      if (ours) return ours;
      const value: unknown = Reflect.get(store, name, store);
      return typeof value === 'function' ? (value.bind(store) as unknown) : value;
    },
    has: (_target, name) => Reflect.has(store, name),
  });
}
