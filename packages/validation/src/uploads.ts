export {
  createUploads,
  type Received,
  type ReceivedFile,
  type ReceiveMiddleware,
  type Uploads,
  type UploadsOptions,
} from './uploads/uploads.js';
export type { FieldRule, FileRule, ReceiveOptions } from './uploads/rules.js';
export { uploadKinds } from './uploads/accept-kind.js';
export {
  diskSink,
  type DiskSink,
  type DiskSinkOptions,
  type StoredInfo,
  type UploadSink,
} from './uploads/sink.js';
export {
  clamdScanner,
  type ClamdOptions,
  type ScannedFile,
  type Scanner,
  type ScanVerdict,
} from './uploads/clamd.js';
export { downloadHeaders, type Download } from './uploads/download-headers.js';
export { displayName } from './uploads/names.js';
export type { Usage } from './uploads/quota.js';
export type { SecurityContext } from '@portcullis/core';
