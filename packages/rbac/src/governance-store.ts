/** The last day on which somebody used a permission: milliseconds since 1970, at 00:00 UTC. */
export interface Use {
  readonly userId: string;
  readonly permission: string;
  readonly day: number;
}

/** A review as kept: `body` is JSON of this package's own making. */
export interface StoredReview {
  readonly id: string;
  /** Counts its changes, from 1. */
  readonly version: number;
  readonly body: string;
}

/** Where reviews and the last use of permissions are kept: `memoryGovernance()`, `postgresGovernance()`, or one of your own. */
export interface GovernanceStore {
  /** False, and nothing is written, unless the stored version is the one before (none for version 1). */
  putReview(review: StoredReview): Promise<boolean>;
  review(id: string): Promise<StoredReview | undefined>;
  /** In order of their ids. */
  reviews(): Promise<readonly StoredReview[]>;
  /** A later day replaces an earlier one, never the other way. */
  noteUses(uses: readonly Use[]): Promise<void>;
  /** Of these users. */
  uses(userIds: readonly string[]): Promise<readonly Use[]>;
}

/** In this process's memory: for tests and apps of one process. */
export function memoryGovernance(): GovernanceStore {
  const reviews = new Map<string, StoredReview>();
  const uses = new Map<string, Map<string, number>>();
  return {
    async putReview(review) {
      if ((reviews.get(review.id)?.version ?? 0) !== review.version - 1) return false;
      reviews.set(review.id, { ...review });
      return true;
    },
    review: async (id) => reviews.get(id),
    reviews: async () => [...reviews.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    async noteUses(given) {
      for (const { userId, permission, day } of given) {
        let own = uses.get(userId);
        if (!own) uses.set(userId, (own = new Map()));
        own.set(permission, Math.max(day, own.get(permission) ?? 0));
      }
    },
    uses: async (userIds) =>
      userIds.flatMap((userId) =>
        [...(uses.get(userId) ?? [])].map(([permission, day]) => ({ userId, permission, day })),
      ),
  };
}
