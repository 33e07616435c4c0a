/**
 * Published formats of vendor credentials, keyed by their first characters. Every quantifier is bounded and no pattern
 * backtracks into another, so each try costs a constant.
 * Sources: the vendors' own documentation of their prefixes (GitHub, GitLab, Slack, Stripe, AWS, Google, ...).
 */
export const VENDOR_KEYS: readonly RegExp[] = [
  /gh[pousr]_[A-Za-z0-9]{30,255}/y,
  /github_pat_[A-Za-z0-9_]{22,255}/y,
  /gl(?:pat|dt|rt|cbt|ptt|oas|soat|ft|imt|agent)-[A-Za-z0-9_=.-]{16,300}/y,
  /xox[abeoprs]-[A-Za-z0-9-]{10,250}/y,
  /xapp-[A-Za-z0-9-]{10,250}/y,
  /(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,255}/y,
  /whsec_[A-Za-z0-9+/=]{16,255}/y,
  /(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}/y,
  /AIza[A-Za-z0-9_-]{30,60}/y,
  /ya29\.[A-Za-z0-9_-]{20,2000}/y,
  /GOCSPX-[A-Za-z0-9_-]{20,60}/y,
  /npm_[A-Za-z0-9]{30,60}/y,
  /pypi-[A-Za-z0-9_-]{30,1000}/y,
  /rubygems_[a-f0-9]{40,60}/y,
  /sk-(?:proj-|ant-|svcacct-|or-)?[A-Za-z0-9_-]{20,300}/y,
  /SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}/y,
  /SK[0-9a-f]{32}/y,
  /key-[0-9a-z]{32}/y,
  /sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{20,60}/y,
  /shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}/y,
  /do[opr]_v1_[a-f0-9]{60,70}/y,
  /hv[sbr]\.[A-Za-z0-9_-]{20,300}/y,
  /dapi[a-f0-9]{32}/y,
  /dp\.(?:pt|st|sa|ct|scim|audit)\.[A-Za-z0-9._-]{20,100}/y,
  /lin_(?:api|oauth)_[A-Za-z0-9]{30,80}/y,
  /(?:secret|ntn)_[A-Za-z0-9]{40,60}/y,
  /PMAK-[A-Za-z0-9-]{40,80}/y,
  /figd_[A-Za-z0-9_-]{30,80}/y,
  /gls?[ac]_[A-Za-z0-9+/=_]{20,300}/y,
  /NRAK-[A-Z0-9]{20,40}/y,
  /dt0[a-z]01\.[A-Z0-9]{24}\.[A-Z0-9]{64}/y,
  /hf_[A-Za-z0-9]{30,60}/y,
  /r8_[A-Za-z0-9]{30,60}/y,
  /sbp_[a-f0-9]{40}/y,
  /pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{30,100}/y,
  /nfp_[A-Za-z0-9]{30,60}/y,
  /ATATT3[A-Za-z0-9_=-]{60,300}/y,
  /HRKU-[A-Za-z0-9_-]{30,80}/y,
  /CCIPAT_[A-Za-z0-9_]{30,100}/y,
  /sntry[su]_[A-Za-z0-9+/=_]{40,300}/y,
  /aio_[A-Za-z0-9]{26,32}/y,
  /LTAI[A-Za-z0-9]{17,24}/y,
  /EZ[AT]K[A-Za-z0-9]{54}/y,
  /FLWSECK[A-Za-z0-9_-]{32,60}/y,
  /shippo_(?:live|test)_[a-f0-9]{40}/y,
  /xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}/y,
  /duffel_(?:live|test)_[A-Za-z0-9_=-]{43}/y,
  /AGE-SECRET-KEY-1[A-Z0-9]{58}/y,
  /EAAA[A-Za-z0-9_-]{60}/y,
  /dckr_pat_[A-Za-z0-9_-]{20,64}/y,
  /gsk_[A-Za-z0-9]{32,80}/y,
  /xai-[A-Za-z0-9]{40,120}/y,
  /pplx-[A-Za-z0-9]{32,80}/y,
  /pat-(?:na|eu)[0-9]-[0-9a-f-]{36}/y,
  /lsv2_(?:pt|sk)_[A-Za-z0-9_]{32,80}/y,
  /phx_[A-Za-z0-9]{32,80}/y,
  /oy2[a-z0-9]{43}/y,
  /pul-[a-f0-9]{40}/y,
  /fo1_[A-Za-z0-9_-]{40,80}/y,
  /AT(?:CTT3|BB)[A-Za-z0-9_=-]{28,300}/y,
  /ops_eyJ[A-Za-z0-9_-]{40,2000}/y,
  /(?:ST|TGT|PGT|PT)-[0-9]{1,10}-[A-Za-z0-9._-]{16,256}/y,
  /hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9/_-]{20,200}/y,
  /(?:discord|discordapp)\.com\/api\/(?:v[0-9]{1,2}\/)?webhooks\/[0-9]{10,25}\/[A-Za-z0-9_-]{20,100}/y,
];

const CODES = 128;

/** Finds the vendor key that begins at a place, and returns its end or -1. */
export type VendorKeyEnd = (text: string, at: number, marks: readonly MarkedPattern[]) => number;

/** The patterns that begin with anything at all and whose mark stands in the text. */
export function marksIn(text: string): readonly MarkedPattern[] {
  return MARKED.filter(({ mark }) => text.includes(mark));
}

export function compileVendorKeys(): VendorKeyEnd {
  // By the first two characters, so that hardly any word costs a try.
  const candidates = new Map<number, RegExp[]>();
  const possible = new Uint8Array(CODES * CODES);
  for (const { source } of VENDOR_KEYS) for (const pair of firstPairs(source)) addTo(pair, source);

  function addTo(pair: string, source: string): void {
    const key = pair.charCodeAt(0) * CODES + pair.charCodeAt(1);
    const patterns = candidates.get(key) ?? [];
    candidates.set(key, patterns);
    patterns.push(new RegExp(source, 'y'));
    possible[key] = 1;
  }

  return (text, at, marks) => {
    const second = text.charCodeAt(at + 1);
    const key = second < CODES ? text.charCodeAt(at) * CODES + second : 0;
    if (possible[key] === 1) {
      for (const pattern of candidates.get(key)!) {
        const end = endOf(pattern, text, at);
        if (end !== -1) return end;
      }
    }
    for (const { pattern } of marks) {
      const end = endOf(pattern, text, at);
      if (end !== -1) return end;
    }
    return -1;
  };
}

function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

export interface MarkedPattern {
  readonly pattern: RegExp;
  /** What a text must have for the pattern to be tried at all. */
  readonly mark: string;
}

/** They begin with anything at all. */
const MARKED: readonly MarkedPattern[] = [
  { pattern: /[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}/y, mark: '.atlasv1.' },
  { pattern: /(?:bot)?[0-9]{8,10}:AA[A-Za-z0-9_-]{33}/y, mark: ':AA' },
];

/** The first two characters a key of this pattern can have. */
function firstPairs(source: string): readonly string[] {
  const group = /^\(\?:([^)]+)\)/.exec(source);
  if (group) return [...new Set(group[1]!.split('|').map((choice) => choice.slice(0, 2)))];
  const choices = /^(\w+)\(\?:([^)]+)\)/.exec(source);
  if (choices && choices[1]!.length === 1) return choices[2]!.split('|').map((c) => `${choices[1]!}${c[0]!}`);
  return [source.slice(0, 2)];
}
