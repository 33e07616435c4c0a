/** A grant with this tenant counts in every tenant, and where there is none. Nobody can be asked about it. */
export const EVERY_TENANT = '*';

/** What a question can be about. Ids of tenants are the app's, compared as they are. */
export function isTenant(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value !== EVERY_TENANT;
}

/** A grant of one tenant never answers for another; one without tenant answers only where there is none. */
export function inTenant(granted: string | undefined, asked: string | undefined): boolean {
  return granted === asked || granted === EVERY_TENANT;
}
