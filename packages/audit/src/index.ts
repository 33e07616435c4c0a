export {
  createAudit,
  type Audit,
  type AuditGuarantee,
  type AuditOptions,
  type AuditStatus,
  type DisclosureOptions,
  type ErasureOptions,
  type HoldOptions,
  type PersonalOptions,
  type PruneOptions,
  type RetentionReason,
} from './create-audit.js';
export type { OpenedValue } from './people/people.js';
export type { PersonalOwner } from './people/fields.js';
export type { AccessLogOptions } from './access-log.js';
export type { AuditRecord } from './record.js';
export type {
  AuditActor,
  AuditChange,
  AuditEntry,
  AuditKind,
  AuditOutcome,
  AuditRequestContext,
  AuditTarget,
  StoredEntry,
} from './entry.js';
export type {
  AuditReviews,
  Completion,
  Reviewer,
  ReviewItem,
  ReviewQueue,
  ReviewStatus,
  SignOff,
} from './reviews/reviews.js';
export type { ReviewFilter, ReviewPolicy } from './reviews/review-policy.js';
export { verifyReview, type ReviewReport } from './reviews/verify-review.js';
export type { AuditPage, AuditQuery, AuditViewer, CheckedQuery } from './query.js';
export type {
  AuditBatch,
  AuditOutbox,
  AuditPeople,
  AuditPruning,
  AuditStore,
  OutboxEntry,
  WaitingEntry,
  SealedValue,
} from './store.js';
export type { InventoryOptions, LogInventory, LoggedEvent, LogPlace } from './inventory.js';
export type { LegalHold } from './retention/holds.js';
export type { PruneResult } from './retention/prune.js';
export { ed25519Signer, type Ed25519SignerOptions, type LogSigner } from './signer.js';
export type { Checkpoint } from './checkpoint.js';
export type { Anchor, AnchoredLog } from './anchors/anchor.js';
export type { AnchorStatus } from './anchors/anchor-runner.js';
export { fileAnchor, type FileAnchorOptions } from './anchors/file-anchor.js';
export { logLineAnchor, type LogLineAnchorOptions } from './anchors/log-line-anchor.js';
export { webhookAnchor, type WebhookAnchorOptions } from './anchors/webhook-anchor.js';
export { witnessAnchor, type WitnessAnchorOptions } from './anchors/witness-anchor.js';
export { createWitness, type Witness, type WitnessOptions } from './witness.js';
export { verifyDisclosure, type DisclosedEntry, type ProvedEntry } from './prove.js';
export type { AuditTree, ExtendTree, PlacedEntry, TreeBatch, TreeGrowth, TreeState } from './log/tree.js';
export type { Tile, TileName, ReadTiles } from './merkle/tiles.js';
export type { AuditMirror } from './mirror.js';
export type { SpoolOptions } from './spool.js';
export type { LossPolicy, Receipt, WriterStatus } from './writer.js';
export type { AuditEventType } from './events.js';
export { memoryAudit, type MemoryAudit } from './memory.js';
export { verifyLog } from './verify/verify-log.js';
export type { Finding, LogReport, VerifyOptions } from './verify/judge.js';
export { entryFormatter, exportAs, type ExportFormat, type ExportOptions } from './exports/export-as.js';
export { changeOf, type ChangeOptions } from './tracking/change-of.js';
export type { FieldChange, History, HistoryEntry, HistoryQuery, Row } from './tracking/history.js';
export type { TrackedTable, TrackOptions } from './tracking/install.js';
export type { TrackedColumn } from './tracking/change-trigger.js';
export { canonicalJson } from './canonical-json.js';
export { errors as auditErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
