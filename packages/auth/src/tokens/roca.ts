// Primes and the subgroup that powers of 65537 form modulo each: a modulus made by the faulty Infineon library lies in
// it for all of them, another one with a chance of about 2^-28.
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/** True for RSA moduli of CVE-2017-15361 ("ROCA"), whose factors can be found. `n` is base64url. */
export function looksLikeRoca(n: string): boolean {
  const modulus = BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`);
  return PRIMES.every((prime) => {
    const rest = Number(modulus % BigInt(prime));
    let power = 1;
    do {
      if (power === rest) return true;
      power = (power * 65_537) % prime;
    } while (power !== 1);
    return false;
  });
}
