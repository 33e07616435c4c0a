/**
 * The vocabulary of secret-bearing names. Names are compared word by word, so that `password_hash`, `passwordHash`
 * and `Password-Hash` are the same name, and `monkey`, `secretary` or `tokenizer` are none.
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** A secret wherever the word stands, unless the name goes on to speak *about* it (`passwordPolicy`). */
export const STRONG = words(`
  password passwords passwd passwds pwd pwds passphrase passphrases passcode passcodes passwort kennwort
  secret secrets credential credentials creds otp totp hotp jwt jws csrf xsrf cvv cvv2 cvc cvc2 ssn mnemonic pgpass
`);

/** A secret as the last word, or followed by one of {@link VALUE_LIKE}. */
export const FINAL = words('token tokens authorization cookie cookies bearer pass pw');

/** Single words that are secrets only when they are the whole name; in running text they need `=` or quotes. */
export const WHOLE = words('key keys session sessions sid auth salt pin pan sig');

/** `<word> key` that opens something. All other keys (primary, foreign, public, cache, sort) are plain data. */
export const KEY_OWNERS = words(`
  api secret private access encryption encrypt decryption signing sign master auth session ssh service account storage
  shared hmac aes rsa ec ed25519 deploy webhook app application cipher root subscription sas wrapping server
  authentication consumer rapidapi license licence host admin symmetric recovery backup data jwt jwk pgp gpg tls ssl
`);

/** Codes that stand for a person or an account for a while. */
export const CODE_OWNERS = words(`
  verification recovery backup auth authorization authentication reset security mfa otp sms confirmation activation
  pairing device login
`);

/** Words after a secret's name that still hold it. */
export const VALUE_LIKE = words(`
  hash hashes hashed digest value values plain plaintext encrypted raw text string old new current previous confirm
  confirmation again repeat secret salt salted base64 b64 hex header headers hint data jar key 1 2 3
`);

/** Words after a secret's name that only speak about it. */
export const ABOUT = words(`
  type types kind class name names label title description placeholder prompt policy policies rule rules pattern regex
  format length len min max limit size count counts total index number strength score entropy
  at on date time timestamp expiry expires expiration expired exp ttl age maxage ms seconds minutes hours days
  lifetime duration interval window last changed updated created rotated issued
  enabled disabled required allowed supported valid invalid validity verified verification present exists missing set
  needed optional mandatory protected url uri path endpoint route page form field fields param parameter
  algorithm alg version status state attempts tries failures retries usage used uses mode provider manager store service
  issuer audience scope scopes family prefix domain samesite consent banner preferences settings options config
  complexity history reuse module ui stdin file filename dir directory arn
`);

/** `session <word>` that lets its holder in. */
export const SESSION_PARTS = words('id ids key keys token tokens cookie cookies secret secrets data hash');

/** `card <word>` that is the number itself. */
export const CARD_PARTS = words('number num no pan');
export const CARD_OWNERS = words('card cc credit creditcard debit payment');

/** Words in the plural that, with a number as value, are a count (`max_tokens: 512`). */
export const COUNTABLE = words('tokens keys secrets sessions cookies passwords credentials');

/** Names written without any border between words, such as `userpassword` or `JSESSIONID`. */
export const GLUED: readonly RegExp[] = [
  /(?:passw(?:or)?d|passphrase|passcode|passwort|kennwort)(?:s|hash(?:es)?|digest|salt|confirm(?:ation)?|again|old|new|[0-9]{1,2})?$/,
  /^(?:passw(?:or)?d|passphrase|pwd)(?:hash|confirm|digest)/,
  /(?:access|refresh|auth|oauth|id|bearer|csrf|xsrf|session|api|reset|verification|user|login|security|jwt|bot|device|push|personal|middleware)tokens?$/,
  /(?:api|secret|private|encryption|signing|master|auth|session|account|shared|ssh|access)keys?$/,
  /^(?:src|dest|new)?(?:store|key|trust)pass(?:wd)?$|^(?:db|user|smtp|mysql|pg|ssh|ftp|mail|root|admin|redis|ldap|bind|require|master)(?:pass|pw)$/,
  /^(?:requirepass|masterauth)$/,
  /^(?:saml(?:response|art)|(?:client|saml)assertion|x(?:amz|goog)signature|sharedaccesssignature|codeverifier)$/,
  /(?:client|app|application|consumer|shared|api|webhook|jwt|session|totp|otp|cookie|hmac|signing)secrets?$/,
  /sess(?:ion)?(?:id|key|token|cookie)$/,
  /^(?:aspsessionid[a-z]{0,12}|connectsid|setcookie|proxyauthorization|xapikey|xauthtoken|totpsecret|pgpassword)$/,
  /(?:credit)?card(?:number|num|pan)$/,
];

/** Headers whose value runs to the end of the line. */
export const HEADER_WORDS = words('authorization cookie cookies');
