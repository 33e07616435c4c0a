/**
 * Role names as small numbers, which policies and users' entries share: an entry lists numbers, and nothing in it has to be
 * touched when roles are edited. Numbers are not reused; when too many are of roles that are gone, everything begins anew
 * with other ones.
 */
export class RoleIds {
  readonly #ids = new Map<string, number>();

  of(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) this.#ids.set(name, (id = this.#ids.size));
    return id;
  }

  /** The number of a role that has one. */
  find(name: string): number | undefined {
    return this.#ids.get(name);
  }

  get size(): number {
    return this.#ids.size;
  }
}
