/** An API key as it is kept: with a copy of it nobody can act. Times in milliseconds since 1970. */
export interface ApiKeyRecord {
  /** A UUID. */
  readonly id: string;
  /** The principal for whom the key acts. */
  readonly ownerId: string;
  /** Given by its owner, to recognise it by. */
  readonly name: string;
  /** SHA-256 of the key, base64url. */
  readonly hash: string;
  /** Narrow what the owner may do. */
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly expiresAt: number;
  /** When it was last used, to the minute; null: never. */
  readonly lastUsedAt: number | null;
}

/**
 * Where API keys are kept. `apiKeyStoreSuite` of `@portcullis/auth/testing` shows what each method must do. A store that cannot
 * answer rejects (status 503); it never answers "no".
 */
export interface ApiKeyStore {
  /** Short name for messages: `memory`, `redis`, `postgres`. */
  readonly kind: string;
  /** True if other processes see what is written here. */
  readonly shared: boolean;
  /** False, and nothing is added, if the owner has `max` live keys already. */
  add(record: ApiKeyRecord, max: number): Promise<boolean>;
  /** May still return one whose time has passed. */
  find(id: string): Promise<ApiKeyRecord | undefined>;
  /** The keys of an owner, in no order. */
  list(ownerId: string): Promise<readonly ApiKeyRecord[]>;
  /** Returns whether this owner had such a key. Afterwards it is never found again. */
  end(id: string, ownerId: string): Promise<boolean>;
  endAll(ownerId: string): Promise<readonly string[]>;
  /** Notes a use; without effect on a key that has ended. */
  touch(id: string, at: number): Promise<void>;
}

/** The topic under which ended keys are announced on the change feed; the subject is the key's id. */
export const API_KEY_TOPIC = 'auth-api-key';
