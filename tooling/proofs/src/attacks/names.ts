/** Origins of one run; no two runs share one, so nothing is left over for the next. */
export interface Names {
  readonly host: string;
  readonly victim: string;
  /** A page of somebody else under the victim's own domain. */
  readonly sibling: string;
  readonly evil: string;
  /** May read the victim's API and show its widget. */
  readonly partner: string;
  /** Who answers for the victim, and below it, on a wire without TLS. */
  readonly wire: string;
  readonly wireBelow: string;
  /** Names that look like the victim's or the partner's. */
  readonly suffixed: string;
  readonly prefixed: string;
  readonly wirePartner: string;
}

export function namesOf(run: number): Names {
  const host = `bank${run}.example`;
  return {
    host,
    victim: `https://${host}`,
    sibling: `https://blog.${host}`,
    evil: `https://evil${run}.example`,
    partner: `https://partner${run}.example`,
    wire: `http://${host}`,
    wireBelow: `http://wifi.${host}`,
    suffixed: `https://not-partner${run}.example`,
    prefixed: `https://partner${run}.example.evil${run}.example`,
    wirePartner: `http://partner${run}.example`,
  };
}
