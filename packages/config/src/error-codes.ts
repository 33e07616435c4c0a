import { defineErrors } from '@portcullis/core';

/**
 * Every problem that a configuration can have: one row, one page under `errors/`. They are found while a
 * service starts or reloads and never answer a request; the status only says what a leaked one would be.
 */
export const errors = defineErrors('config', {
  E_CONFIG_INVALID: { status: 500, title: 'The configuration is not valid' },
  E_CONFIG_MISSING: { status: 500, title: 'A required setting is missing' },
  E_CONFIG_EMPTY: { status: 500, title: 'A setting is set but empty' },
  E_CONFIG_TYPE: { status: 500, title: 'A setting cannot be read as its type' },
  E_CONFIG_VALUE: { status: 500, title: 'A setting has a value that is not allowed' },
  E_CONFIG_UNKNOWN: { status: 500, title: 'A variable is not a known setting' },
  E_CONFIG_CONFLICT: { status: 500, title: 'A setting is given twice' },
  E_CONFIG_FILE: { status: 500, title: 'A file of the configuration cannot be read' },
  E_CONFIG_SYNTAX: { status: 500, title: 'A line of an environment file cannot be read safely' },
  E_CONFIG_SECRET_WEAK: { status: 500, title: 'A secret is too weak for production' },
  E_CONFIG_SECRET_SAMPLE: { status: 500, title: 'A secret is a published sample or default' },
  E_CONFIG_SECRET_EXPIRED: { status: 500, title: 'A secret has expired' },
  E_CONFIG_SECRET_SHARED: { status: 500, title: 'Two settings hold the same secret' },
  E_CONFIG_PLAINTEXT_URL: { status: 500, title: 'A connection leaves the host without TLS' },
  E_CONFIG_TLS_UNVERIFIED: { status: 500, title: 'Certificates of other servers are not checked' },
});
