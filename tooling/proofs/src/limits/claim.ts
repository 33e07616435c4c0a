/** What was measured, and whether it is what the project promises. A control is a claim that the harness must find wrong. */
export interface Claim {
  readonly what: string;
  readonly measured: string;
  readonly holds: boolean;
}

export interface Section {
  readonly title: string;
  readonly note: string;
  readonly claims: readonly Claim[];
}

/** A claim about something that is known to be wrong: the harness has to see that. */
export function control(what: string, measured: string, seen: boolean): Claim {
  return { what: `control: ${what}`, measured, holds: seen };
}
