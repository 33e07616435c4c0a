export { fileAudit, type FileAuditOptions } from './file/store.js';
