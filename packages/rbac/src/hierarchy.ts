import type { RoleRecord } from './role-store.js';

/** A cycle of the role hierarchy as its path, `['a', 'b', 'a']`, or undefined if there is none. */
export function findCycle(roles: ReadonlyMap<string, Pick<RoleRecord, 'inherits'>>): string[] | undefined {
  const finished = new Set<string>();
  // Depth first without recursion; `path` holds the roles whose parents are being visited.
  const path: { name: string; next: number }[] = [];
  const onPath = new Set<string>();
  const enter = (name: string): void => {
    if (finished.has(name)) return;
    path.push({ name, next: 0 });
    onPath.add(name);
  };
  for (const start of roles.keys()) {
    enter(start);
    while (path.length > 0) {
      const here = path.at(-1)!;
      const parent = roles.get(here.name)?.inherits[here.next++];
      if (parent === undefined) {
        path.pop();
        onPath.delete(here.name);
        finished.add(here.name);
      } else if (onPath.has(parent)) {
        const names = path.map(({ name }) => name);
        return [...names.slice(names.indexOf(parent)), parent];
      } else enter(parent);
    }
  }
  return undefined;
}
