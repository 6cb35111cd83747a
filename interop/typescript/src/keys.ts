// Keys and signatures, section 2 of the page. The cryptography is that of jose.

import { createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, compactVerify, errors, importJWK, type JWK } from "jose";
import { Refused, decode, otherwise, type Json, type JsonObject, type Jws } from "./strict.js";

/** What fits an algorithm. */
export const ALGORITHMS: Record<string, { kty: string; crv?: string }> = {
  ES256: { kty: "EC", crv: "P-256" },
  ES384: { kty: "EC", crv: "P-384" },
  EdDSA: { kty: "OKP", crv: "Ed25519" },
  Ed25519: { kty: "OKP", crv: "Ed25519" },
  PS256: { kty: "RSA" },
  RS256: { kty: "RSA" },
};
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const FIELDS: Record<string, { bytes: number; prime: bigint }> = {
  "P-256": { bytes: 32, prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n },
  "P-384": { bytes: 48, prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n },
};
const EDWARDS_FIELD = 2n ** 255n - 19n;

/** The header's `jwk`, if it is a public key that fits the algorithm. */
export function publicKey(header: JsonObject, algorithm: string): JWK {
  if (!header.has("jwk")) throw new Refused("key_missing");
  const jwk = header.get("jwk");
  if (!(jwk instanceof Map)) throw new Refused("key_malformed");
  if (PRIVATE.some((name) => jwk.has(name))) throw new Refused("private_key");
  otherwise("key_malformed", () => checkKey(jwk));
  const fits = ALGORITHMS[algorithm]!;
  const sameCurve = fits.crv === undefined || fits.crv === jwk.get("crv");
  if (jwk.get("kty") !== fits.kty || !sameCurve || !isForThis(jwk, algorithm)) {
    throw new Refused("key_mismatch");
  }
  const names = ["kty", "crv", "x", "y", "n", "e"].filter((name) => jwk.has(name));
  return Object.fromEntries(names.map((name) => [name, jwk.get(name)])) as JWK;
}

/** RFC 7638, in base64url. */
export function thumbprint(jwk: JWK): Promise<string> {
  return calculateJwkThumbprint(jwk, "sha256");
}

/** Verifies, or refuses with `bad_signature`. */
export async function checkSignature(proof: Jws, jwk: JWK, algorithm: string): Promise<void> {
  try {
    await compactVerify(proof.text, await importJWK(jwk, algorithm), { algorithms: [algorithm] });
  } catch (error) {
    if (error instanceof errors.JOSEError) throw new Refused("bad_signature");
    throw error;
  }
}

function isForThis(jwk: JsonObject, algorithm: string): boolean {
  const names = ALGORITHMS[algorithm]!.kty === "OKP" ? ["EdDSA", "Ed25519"] : [algorithm];
  const operations = jwk.get("key_ops");
  return (
    (!jwk.has("alg") || names.includes(jwk.get("alg") as string)) &&
    (!jwk.has("use") || jwk.get("use") === "sig") &&
    (!jwk.has("key_ops") ||
      (Array.isArray(operations) && operations.length === 1 && operations[0] === "verify"))
  );
}

function checkKey(jwk: JsonObject): void {
  if (jwk.has("kid") && typeof jwk.get("kid") !== "string") throw new Error("kid");
  const crv = jwk.get("crv") as string;
  switch (jwk.get("kty")) {
    case "EC": {
      const field = Object.hasOwn(FIELDS, crv) ? FIELDS[crv] : undefined;
      const [x, y] = [component(jwk.get("x")), component(jwk.get("y"))];
      if (!field || x.length !== field.bytes || y.length !== field.bytes) throw new Error("size");
      if (number(x) >= field.prime || number(y) >= field.prime) throw new Error("coordinate");
      const members = Object.fromEntries(["kty", "crv", "x", "y"].map((name) => [name, jwk.get(name)]));
      // Refuses a point that is not on the curve.
      createPublicKey({ key: members as JWK, format: "jwk" });
      return;
    }
    case "OKP":
      if (crv !== "Ed25519") throw new Error("curve");
      return checkEdwardsPoint(component(jwk.get("x")));
    case "RSA": {
      const [n, e] = [component(jwk.get("n")), component(jwk.get("e"))];
      const bits = number(n).toString(2).length;
      if (!n[0] || !e[0] || bits < 2048 || bits > 4096 || number(n) % 2n === 0n) throw new Error("n");
      if (number(e) < 3n || number(e) % 2n === 0n || e.length > 4) throw new Error("e");
      return;
    }
  }
  throw new Error("kty");
}

function component(value: Json | undefined): Uint8Array {
  if (typeof value !== "string") throw new Error("a component that is no string");
  return decode(value);
}

function number(bigEndian: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bigEndian).toString("hex")}`);
}

/** The canonical encoding of a point whose order does not divide 8 (RFC 8032, section 5.1.3). */
function checkEdwardsPoint(encoded: Uint8Array): void {
  if (encoded.length !== 32) throw new Error("size");
  const whole = number(encoded.slice().reverse());
  const [sign, y] = [whole >> 255n, whole & (2n ** 255n - 1n)];
  if (y >= EDWARDS_FIELD) throw new Error("not canonical");
  const d = modulo(-121665n * inverse(121666n));
  const square = modulo((y * y - 1n) * inverse(d * y * y + 1n));
  let x = power(square, (EDWARDS_FIELD + 3n) / 8n);
  if (modulo(x * x) !== square) x = modulo(x * power(2n, (EDWARDS_FIELD - 1n) / 4n));
  if (modulo(x * x) !== square || (x === 0n && sign === 1n)) throw new Error("no point");
  if (x % 2n !== sign) x = EDWARDS_FIELD - x;
  let point = [x, y] as const;
  for (let times = 0; times < 3; times++) {
    const product = modulo(d * point[0] ** 2n * point[1] ** 2n);
    point = [
      modulo(2n * point[0] * point[1] * inverse(1n + product)),
      modulo((point[1] ** 2n + point[0] ** 2n) * inverse(1n - product)),
    ];
  }
  if (point[0] === 0n && point[1] === 1n) throw new Error("small order");
}

function modulo(value: bigint): bigint {
  return ((value % EDWARDS_FIELD) + EDWARDS_FIELD) % EDWARDS_FIELD;
}

function inverse(value: bigint): bigint {
  return power(value, EDWARDS_FIELD - 2n);
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, modulo(base)];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = modulo(result * square);
    square = modulo(square * square);
  }
  return result;
}
