import { Secret, parseUrl } from '@portcullis/core';
import type { Setting } from './setting.js';

/** One setting as a row. Holds no secret: those are `set` or not, and no more. */
export interface SettingRow {
  readonly name: string;
  readonly type: string;
  /** `required`, `required in production` or `optional`. */
  readonly presence: string;
  /** The declared default as text; `(secret)` for one of a secret; absent without one. */
  readonly default?: string;
  /** `environment`, `NAME_FILE`, `the secrets directory`, the path of an environment file, `default` or `unset`. */
  readonly source: string;
  readonly set: boolean;
  /** The value as text; absent for secrets and JSON documents. Queries of URLs are left out. */
  readonly value?: string;
  /** Why production would refuse this secret. */
  readonly weak?: string;
  /** The moment at which this secret expires, in UTC (ISO 8601). */
  readonly expires?: string;
  readonly note?: string;
}

export interface Described {
  readonly value: unknown;
  readonly source: string;
  readonly weak: string | undefined;
  readonly expires: string | undefined;
}

export function describeSetting(
  name: string,
  setting: Setting,
  { value, source, weak, expires }: Described,
): SettingRow {
  const { presence } = setting;
  return Object.freeze({
    name,
    type: setting.secret && setting.type !== 'secret' ? `secret ${setting.type}` : setting.type,
    presence: presence.requiredIn
      ? 'required in production'
      : presence.optional || presence.default !== undefined
        ? 'optional'
        : 'required',
    ...(presence.default === undefined ? {} : { default: shown(setting, presence.default) ?? '(json)' }),
    source,
    set: value !== undefined,
    ...(value === undefined || setting.secret || setting.type === 'json'
      ? {}
      : { value: shown(setting, value) ?? '' }),
    ...(weak === undefined ? {} : { weak }),
    ...(expires === undefined ? {} : { expires }),
    ...(presence.note === undefined ? {} : { note: presence.note }),
  });
}

/** The rows as a table for a terminal or a start-up log. Control characters are escaped. */
export function renderTable(rows: readonly SettingRow[]): string {
  const head = ['name', 'type', 'presence', 'default', 'source', 'value', ''];
  const body = rows.map((row) => [
    row.name,
    row.type,
    row.presence,
    row.default ?? '',
    row.source,
    row.value ?? (row.set ? '(set)' : '(unset)'),
    [
      row.weak === undefined ? '' : `weak: ${row.weak}`,
      row.expires === undefined ? '' : `expires ${row.expires}`,
      row.note ?? '',
    ]
      .filter(Boolean)
      .join('; '),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((line) => line[column]!.length)));
  return [head, ...body]
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function shown(setting: Setting, value: unknown): string | undefined {
  if (setting.secret || Secret.is(value)) return '(secret)';
  if (setting.type === 'json') return undefined;
  const texts = Array.isArray(value) ? (value as unknown[]).map(one) : [one(value)];
  const text = texts.join(', ');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function one(value: unknown): string {
  const text = String(value);
  const open = text.includes('?') && parseUrl(text) ? `${text.slice(0, text.indexOf('?'))}?...` : text;
  // A value must not be able to move the cursor or forge a line of the log.
  // oxlint-disable-next-line no-control-regex -- control characters are the subject
  return open.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  );
}
