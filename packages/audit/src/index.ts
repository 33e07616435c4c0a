export { createAudit, type Audit, type AuditOptions, type AuditStatus } from './create-audit.js';
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
export type { AuditPage, AuditQuery, AuditViewer, CheckedQuery } from './query.js';
export type { AuditBatch, AuditOutbox, AuditStore, OutboxEntry, SealedValue } from './store.js';
export { ed25519Signer, type Ed25519SignerOptions, type LogSigner } from './signer.js';
export type { AuditMirror } from './mirror.js';
export type { SpoolOptions } from './spool.js';
export type { LossPolicy, Receipt, WriterStatus } from './writer.js';
export type { AuditEventType } from './events.js';
export { memoryAudit, type MemoryAudit } from './memory.js';
export { verifyLog, type Finding, type LogReport, type VerifyOptions } from './verify.js';
export { entryFormatter, exportAs, type ExportFormat, type ExportOptions } from './exports/export-as.js';
export { changeOf, type ChangeOptions } from './tracking/change-of.js';
export type { FieldChange, History, HistoryEntry, HistoryQuery, Row } from './tracking/history.js';
export type { TrackedTable, TrackOptions } from './tracking/install.js';
export type { TrackedColumn } from './tracking/change-trigger.js';
export { canonicalJson } from './canonical-json.js';
export { errors as auditErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
