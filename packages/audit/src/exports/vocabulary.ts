/** How much an event asks for attention, as the OWASP Logging Vocabulary grades it. */
export type VocabularyLevel = 'info' | 'warn' | 'critical';

/** What an action is called by others. */
export interface VocabularyEntry {
  /** Event of the OWASP Logging Vocabulary; absent where it has no word for it. */
  readonly owasp?: string;
  readonly level: VocabularyLevel;
  /** OCSF class and activity; absent: by the action's last word. */
  readonly ocsf?: readonly [kind: OcsfKind, activity: number];
}

export type OcsfKind = 'authentication' | 'account' | 'access' | 'application';

/**
 * The one table from our event names to the OWASP Logging Vocabulary, with its level, and to OCSF.
 * An app's own actions get here by the option `aliases`, or by their last word.
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html
 */
const EVENTS: Readonly<Record<string, VocabularyEntry>> = Object.assign(Object.create(null) as object, {
  'audit.degraded': row('warn', 'sys_monitor_disabled'),
  'audit.recovered': row('warn', 'sys_monitor_enabled'),
  'audit.dropped': row('critical', 'sys_monitor_disabled'),
  'audit.spooled': row('info'),
  'audit.replayed': row('info'),
  'audit.mirror-failed': row('warn'),
  'audit.anchor-failed': row('warn', 'sys_monitor_disabled'),
  'audit.anchor-recovered': row('warn', 'sys_monitor_enabled'),
  'audit.pruned': row('info'),
  'audit.tail-cut': row('warn', 'sys_crash'),
  'audit.rewritten': row('critical', 'malicious_extraneous'),
  'audit.seal-failed': row('warn', 'sys_monitor_disabled'),
  'audit.unanchored': row('warn'),
  'audit.review-overdue': row('warn'),
  'audit.writer-opened': row('info', 'sys_startup', ['application', 3]),
  'audit.writer-closed': row('info', 'sys_shutdown', ['application', 4]),
  'auth.registered': row('warn', 'user_created', ['account', 1]),
  'auth.signed-in': row('info', 'authn_login_success', ['authentication', 1]),
  'auth.failed': row('warn', 'authn_login_fail', ['authentication', 1]),
  'auth.limited': row('warn', 'authn_login_fail_max', ['authentication', 1]),
  'auth.token-refused': row('warn', 'authn_login_fail', ['authentication', 1]),
  'auth.token-reused': row('critical', 'authn_token_reuse', ['authentication', 99]),
  'auth.refreshed': row('info', 'session_renewed', ['authentication', 5]),
  'auth.signed-out': row('info', 'session_logout', ['authentication', 2]),
  'auth.session-revoked': row('info', 'authn_token_revoked', ['authentication', 2]),
  'auth.api-key-created': row('info', 'authn_token_created', ['authentication', 99]),
  'auth.api-key-revoked': row('info', 'authn_token_revoked', ['authentication', 99]),
  'auth.deactivated': row('warn', 'user_archived', ['account', 5]),
  'auth.impersonation-started': row('warn', 'authz_admin', ['authentication', 7]),
  'auth.issuer-loaded': row('info'),
  'auth.issuer-failed': row('warn'),
  'auth.password-changed': row('info', 'authn_password_change', ['account', 3]),
  'auth.password-upgraded': row('info'),
  'auth.password-reset': row('info', 'authn_password_change', ['account', 4]),
  'auth.locked-out': row('warn', 'authn_login_lock', ['account', 9]),
  'auth.login-changed': row('warn', 'user_updated', ['account', 99]),
  'auth.factor-added': row('info', 'user_updated', ['account', 10]),
  'auth.factor-removed': row('warn', 'user_updated', ['account', 11]),
  'auth.factor-refused': row('warn', 'authn_login_fail', ['authentication', 1]),
  'auth.passkey-added': row('info', 'user_updated', ['account', 10]),
  'auth.passkey-removed': row('warn', 'user_updated', ['account', 11]),
  'auth.passkey-refused': row('warn', 'authn_login_fail', ['authentication', 1]),
  'auth.passkey-repeated': row('critical', 'authn_token_reuse', ['authentication', 99]),
  'auth.recovery-code-used': row('warn', 'authn_login_success', ['authentication', 1]),
  'auth.notification-failed': row('warn'),
  'auth.pepper-missing': row('critical'),
  'auth.breach-list-failed': row('warn'),
  'auth.hashing-thread-failed': row('warn'),
  'config.refused': row('warn'),
  'config.reloaded': row('warn'),
  'csrf.refused': row('critical', 'malicious_csrf'),
  'errors.handled': row('info'),
  'errors.hook-failed': row('warn'),
  'errors.refused': row('info'),
  'headers.cookie-hardened': row('info'),
  'headers.cookie-refused': row('warn'),
  'headers.refused': row('critical', 'malicious_extraneous'),
  'headers.reported': row('critical', 'malicious_csp_violation'),
  'outgoing.refused': row('warn', 'input_validation_fail'),
  'rate-limit.banned': row('warn', 'excess_rate_limit_exceeded'),
  'rate-limit.exceeded': row('warn', 'excess_rate_limit_exceeded'),
  'rate-limit.degraded': row('warn'),
  'rate-limit.overflowed': row('warn'),
  'rate-limit.overloaded': row('warn'),
  'rate-limit.relieved': row('info'),
  'rate-limit.restored': row('info'),
  'rbac.denied': row('critical', 'authz_fail'),
  'rbac.granted': row('warn', 'authz_change', ['access', 1]),
  'rbac.revoked': row('warn', 'authz_change', ['access', 2]),
  'rbac.policy-changed': row('warn', 'privilege_permissions_changed'),
  'rbac.user-switched': row('warn', 'user_updated', ['account', 99]),
  'rbac.superuser-used': row('warn', 'authz_admin'),
  'rbac.decision-missed': row('critical', 'authz_fail'),
  'rbac.refusal-spared': row('warn'),
  'rbac.glass-broken': row('critical', 'authz_admin'),
  'rbac.review-opened': row('info'),
  'rbac.review-closed': row('info'),
  'rbac.cache-forged': row('critical', 'malicious_extraneous'),
  'rbac.grace-used': row('warn'),
  'rbac.grants-ignored': row('warn'),
  'redirect.refused': row('warn', 'input_validation_fail'),
  'request.completed': row('info'),
  'request.aborted': row('info'),
  'upload.received': row('info', 'upload_complete'),
  'upload.refused': row('critical', 'upload_validation'),
  'validation.failed': row('warn', 'input_validation_fail'),
  'validation.response-filtered': row('info'),
  'validation.response-refused': row('warn'),
  'app.started': row('warn', 'sys_startup', ['application', 3]),
  'app.stopped': row('warn', 'sys_shutdown', ['application', 4]),
  'app.restarted': row('warn', 'sys_restart', ['application', 5]),
  'app.crashed': row('critical', 'sys_crash', ['application', 4]),
  'user.created': row('warn', 'user_created', ['account', 1]),
  'user.updated': row('warn', 'user_updated', ['account', 99]),
  'user.archived': row('warn', 'user_archived', ['account', 5]),
  'user.deleted': row('warn', 'user_deleted', ['account', 6]),
  'privacy.erasure-started': row('warn'),
  'privacy.erased': row('warn', 'user_deleted', ['account', 6]),
});

/** What the last word of an app's own action says: `book.deleted`. */
const WORDS: Readonly<Record<string, VocabularyEntry>> = Object.assign(Object.create(null) as object, {
  created: row('warn', 'sensitive_create'),
  read: row('warn', 'sensitive_read'),
  updated: row('warn', 'sensitive_update'),
  deleted: row('warn', 'sensitive_delete'),
});

const UNKNOWN: VocabularyEntry = row('info');

function row(level: VocabularyLevel, owasp?: string, ocsf?: readonly [OcsfKind, number]): VocabularyEntry {
  return Object.freeze({ level, ...(owasp === undefined ? {} : { owasp }), ...(ocsf ? { ocsf } : {}) });
}

/** Names of the table, for those who keep it complete. */
export const vocabularyEvents: readonly string[] = Object.freeze(Object.keys(EVENTS));

/** What others call this action. */
export function vocabularyOf(action: string): VocabularyEntry {
  return EVENTS[action] ?? WORDS[action.slice(action.lastIndexOf('.') + 1)] ?? UNKNOWN;
}
