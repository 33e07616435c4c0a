/** What is told apart from "there is no such account". */
export const states = [
  'wrong-password',
  'unverified',
  'locked',
  'deactivated',
  'passkey-only',
  'second-factor',
  'over-72-bytes',
] as const;
export type State = (typeof states)[number] | 'unknown';

export const password = 'kestrel bakes ochre bread';

export function loginOf(state: State, n: number): string {
  return `${state}-${String(n).padStart(6, '0')}@library.example`;
}
