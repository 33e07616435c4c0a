/** What sign-offs and rounds are in the log. Only reviews write these actions. */
export const SIGNED = 'audit.review-signed';
export const COMPLETED = 'audit.review-completed';
/** Their target, with the name of the policy as its id. */
export const TARGET = 'audit-review';

export interface ReviewSigned {
  /** Leaf hashes (RFC 6962), base64: what exactly was looked at. */
  readonly entries: readonly { readonly id: string; readonly leaf: string }[];
  readonly finding: boolean;
}

export interface ReviewCompleted {
  /** Everything that happened before has been reviewed. */
  readonly through: string;
  /** And everything that came into the log up to this place. */
  readonly upTo: string;
  /** The newest sign-off of the round. */
  readonly signedUpTo: string;
  readonly reviewed: number;
  readonly findings: number;
}
