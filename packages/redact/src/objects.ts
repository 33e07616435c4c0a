import { isError, Secret } from '@portcullis/core';
import { types } from 'node:util';
import { MASK } from './text/spans.js';

/** What an object that is neither plain nor an array is copied as. */
export type Described =
  | { readonly as: 'text'; readonly text: string }
  | { readonly as: 'mark'; readonly mark: string }
  | { readonly as: 'value'; readonly value: unknown }
  | { readonly as: 'list'; readonly list: readonly unknown[]; readonly unread: number }
  | { readonly as: 'record'; readonly record: object; readonly unread: number };

/**
 * Readable forms for what `JSON.stringify` shows as `{}`, as numbers, or not at all. May throw for hostile objects.
 * @param room How many entries of a collection are read at most.
 */
export function describeObject(value: object, room: number): Described {
  if (types.isProxy(value)) return { as: 'record', record: value, unread: 0 };
  if (Secret.is(value)) return { as: 'mark', mark: MASK };
  if (isError(value)) return { as: 'record', record: errorRecord(value), unread: 0 };
  if (ArrayBuffer.isView(value)) return { as: 'mark', mark: `[Binary:${value.byteLength}]` };
  if (types.isAnyArrayBuffer(value)) return { as: 'mark', mark: `[Binary:${value.byteLength}]` };
  if (types.isDate(value)) return { as: 'mark', mark: dateText(value) };
  if (types.isMap(value)) return mapForm(value, room);
  if (types.isSet(value)) {
    const list = firstOf(Set.prototype.values.call(value), room);
    return { as: 'list', list, unread: value.size - list.length };
  }
  if (types.isRegExp(value)) return { as: 'text', text: RegExp.prototype.toString.call(value) };
  if (types.isPromise(value)) return { as: 'mark', mark: '[Promise]' };
  if (types.isWeakMap(value) || types.isWeakSet(value)) return { as: 'mark', mark: '[Weak collection]' };
  if (types.isBoxedPrimitive(value))
    return { as: 'value', value: (value as { valueOf(): unknown }).valueOf() };
  return webForm(value) ?? nodeForm(value) ?? jsonForm(value) ?? { as: 'record', record: value, unread: 0 };
}

const ERROR_FIELDS = ['name', 'message', 'code', 'stack', 'cause', 'errors'] as const;

/** An error's own and inherited facts, each read on its own so that one hostile accessor costs only itself. */
function errorRecord(error: Error): object {
  const record: Record<string, unknown> = Object.create(null);
  for (const field of ERROR_FIELDS) {
    try {
      const value = (error as unknown as Record<string, unknown>)[field];
      if (value !== undefined) record[field] = value;
    } catch {
      record[field] = '[Unreadable]';
    }
  }
  for (const key of Object.keys(error)) {
    if (Object.hasOwn(record, key)) continue;
    try {
      record[key] = (error as unknown as Record<string, unknown>)[key];
    } catch {
      record[key] = '[Unreadable]';
    }
  }
  return record;
}

function dateText(date: Date): string {
  const time = Date.prototype.getTime.call(date);
  return Number.isNaN(time) ? '[Invalid Date]' : new Date(time).toISOString();
}

function mapForm(map: ReadonlyMap<unknown, unknown>, room: number): Described {
  const entries = firstOf(Map.prototype.entries.call(map), room) as [unknown, unknown][];
  const unread = map.size - entries.length;
  if (entries.some(([key]) => typeof key !== 'string')) return { as: 'list', list: entries, unread };
  return { as: 'record', record: nullRecord(entries as [string, unknown][]), unread };
}

function firstOf<T>(items: Iterable<T>, room: number): T[] {
  const first: T[] = [];
  for (const item of items) {
    if (first.length >= room) break;
    first.push(item);
  }
  return first;
}

/** Headers, FormData and URLSearchParams of any realm. */
function webForm(value: object): Described | undefined {
  const tag = Object.prototype.toString.call(value);
  if (tag !== '[object Headers]' && tag !== '[object FormData]' && tag !== '[object URLSearchParams]') {
    return undefined;
  }
  const { entries } = value as { entries?: unknown };
  if (typeof entries !== 'function') return undefined;
  const list = [...(entries.call(value) as Iterable<[string, unknown]>)];
  return { as: 'record', record: nullRecord(list), unread: 0 };
}

function nullRecord(entries: readonly (readonly [string, unknown])[]): object {
  const record: Record<string, unknown> = Object.create(null);
  for (const [key, value] of entries) {
    record[key] = Object.hasOwn(record, key) ? [record[key], value].flat() : value;
  }
  return record;
}

/** Requests, responses and streams: what a reader wants of them, instead of thousands of internals. */
function nodeForm(value: object): Described | undefined {
  const node = value as Record<string, unknown>;
  if (typeof node['headers'] === 'object' && 'socket' in node && 'httpVersion' in node) {
    const { method, url, originalUrl, statusCode, headers } = node;
    return { as: 'record', record: { method, url: originalUrl ?? url, statusCode, headers }, unread: 0 };
  }
  if (typeof node['getHeaders'] === 'function' && ('statusCode' in node || 'path' in node)) {
    const { method, path, host, statusCode } = node;
    const headers: unknown = node['getHeaders'].call(value);
    return { as: 'record', record: { method, path, host, statusCode, headers }, unread: 0 };
  }
  if ('_readableState' in node || '_writableState' in node || '_handle' in node) {
    const name: unknown = node.constructor?.name;
    return { as: 'mark', mark: `[${typeof name === 'string' && /^\w{1,40}$/.test(name) ? name : 'Stream'}]` };
  }
  return undefined;
}

function jsonForm(value: object): Described | undefined {
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON !== 'function') return undefined;
  try {
    const json: unknown = toJSON.call(value);
    return json === value ? undefined : { as: 'value', value: json };
  } catch {
    return undefined;
  }
}
