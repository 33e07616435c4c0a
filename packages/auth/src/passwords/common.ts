/**
 * Passwords that everybody tries first, as patterns instead of a long list: a common word, alone or with the usual
 * decoration (`Password123!`, `p@ssw0rd2024`), a walk over the keyboard, a sequence, a repetition.
 */
export function isCommonPassword(password: string): boolean {
  const lower = password.toLowerCase();
  const candidates = [core(lower), core(plain(lower)), lower, plain(lower)];
  // Blanks and signs between words make no other password of them.
  const joined = candidates.map((word) => word.replace(/[^\p{L}\p{N}]+/gu, ''));
  return [...candidates, ...joined].some(
    (word) => WORDS.has(word) || isRepetition(word) || isWalk(word) || isTwoWords(word),
  );
}

/** The decoration goes: digits and signs at both ends, at most 6 of them after the word and 4 before. */
function core(text: string): string {
  return text.replace(/[^\p{L}]{1,6}$/u, '').replace(/^[^\p{L}]{1,4}/u, '');
}

const LEET: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
});

function plain(text: string): string {
  return core(text).replace(/[013457@$!]/g, (sign) => LEET[sign]!);
}

function isRepetition(text: string): boolean {
  return text.length >= 4 && /^(.{1,6}?)\1+$/su.test(text);
}

function isTwoWords(text: string): boolean {
  for (let i = 3; i <= text.length - 3; i++) {
    if (WORDS.has(text.slice(0, i)) && WORDS.has(text.slice(i))) return true;
  }
  return false;
}

const ROWS = [
  '01234567890',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
  '1q2w3e4r5t6y7u8i9o0p',
  'q1w2e3r4t5y6u7i8o9p0',
  'qazwsxedcrfvtgbyhnujmikolp',
  '741852963',
  '147258369',
  '789456123',
];

/** True for text made of pieces of at least 3 neighbours, forwards or backwards: `qwerty123`, `987654321`. */
function isWalk(text: string): boolean {
  if (text.length < 4) return false;
  let at = 0;
  while (at < text.length) {
    let size = 0;
    for (const row of WALKS) {
      let n = 3;
      while (at + n <= text.length && row.includes(text.slice(at, at + n))) n++;
      size = Math.max(size, n - 1);
    }
    if (size < 3) return false;
    at += size;
  }
  return true;
}

const WALKS = [...ROWS, ...ROWS.map((row) => row.split('').toReversed().join(''))];

const WORDS: ReadonlySet<string> = new Set(
  `password passwort passwd pass passw kennwort motdepasse contrasena secret secrets geheim letmein welcome willkommen
  bienvenue login signin admin administrator root toor master superuser user username guest default test testing tester
  demo sample changeme change changeit temp temporary access access all internet server system computer network database
  oracle cisco google facebook youtube twitter instagram linkedin microsoft windows apple iphone samsung android linux
  ubuntu qwerty qwertz azerty asdf zxcv qwer iloveyou loveyou love lovely lover loveme iloveu sunshine princess prince
  dragon monkey shadow football baseball basketball soccer hockey tennis golf fitness superman batman spiderman starwars
  pokemon naruto minecraft matrix trustno hello helloworld world freedom whatever flower flowers butterfly chocolate
  cookie cookies cheese pepper ginger orange banana apple cherry summer winter spring autumn sommer january february march
  april june july august september october november december monday tuesday wednesday thursday friday saturday sunday
  london paris berlin newyork america england france germany liverpool arsenal chelsea barcelona manchester united
  juventus michael jessica ashley daniel andrew thomas jordan charlie michelle nicole matthew joshua robert george
  jennifer amanda hannah justin anthony william buster tigger hunter killer ranger soldier maverick phoenix mustang
  ferrari porsche mercedes corvette harley yamaha honda yankees cowboys eagles steelers lakers angel angels babygirl baby
  family forever friend friends bestfriend mother father sister brother mylove junior bailey maggie sophie buddy lucky
  happy jesus christ jesuschrist church heaven blessed god money dollar diamond silver gold golden purple yellow green blue
  black white red pretty beautiful sexy hottie computer keyboard mouse music guitar rock rockyou metallica nirvana eminem
  library book books reader reading store shop company office business school student teacher college university hospital
  abc qaz wsx asd zxc qwe the and you me my one two three four five six seven eight nine ten correct horse battery staple
  correcthorse batterystaple correcthorsebatterystaple alpha bravo charlie delta omega alphabet number numbers secure
  security safe private public mypassword mypass newpassword oldpassword yourpassword thisispassword nopassword`.split(
    /\s+/,
  ),
);
