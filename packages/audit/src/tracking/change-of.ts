import { isDeepStrictEqual } from 'node:util';
import type { AuditRecord } from '../record.js';
import { MASKED } from './change-trigger.js';
import type { Row } from './history.js';

export interface ChangeOptions {
  /** Name of the table or collection, such as `books`. */
  readonly type: string;
  readonly id: string;
  /** Absent: the object is new. */
  readonly before?: Row | undefined;
  /** Absent: the object is gone. */
  readonly after?: Row | undefined;
  /** Fields of which only that they changed is written down. @default [] */
  readonly mask?: readonly string[];
}

/**
 * What the triggers of `audit.track()` would say, for databases that have none: action, target and the changed fields of an
 * object, to be recorded beside the write. Fields that did not change are left out; nothing changed gives undefined.
 * @throws TypeError if there is neither a before nor an after
 */
export function changeOf(
  options: ChangeOptions,
): Pick<AuditRecord, 'action' | 'target' | 'change'> | undefined {
  const { type, id, before, after, mask = [] } = options;
  if (!before && !after) throw new TypeError('changeOf() needs the object before, after, or both.');
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const changed =
    before && after ? fields.filter((field) => !isDeepStrictEqual(before[field], after[field])) : fields;
  if (changed.length === 0 && before && after) return undefined;
  const side = (row: Row | undefined): Row | undefined =>
    row &&
    Object.fromEntries(
      changed
        .filter((field) => Object.hasOwn(row, field))
        .map((field) => [field, mask.includes(field) ? MASKED : row[field]]),
    );
  const word = !before ? 'created' : !after ? 'deleted' : 'updated';
  const [old, fresh] = [side(before), side(after)];
  return {
    action: `${actionPrefix(type)}.${word}`,
    target: { type, id },
    change: { ...(old ? { before: old } : {}), ...(fresh ? { after: fresh } : {}) },
  };
}

/** `loan_items` is `loan-items` in actions. */
export function actionPrefix(type: string): string {
  const words = type
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '');
  return words.slice(0, 32) || 'table';
}
