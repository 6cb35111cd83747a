// A verifier of proofs: sections 3, 5, 6 and 7 of the page.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { ALGORITHMS, checkSignature, publicKey, thumbprint } from "./keys.js";
import { Refused, decode, encode, otherwise, parseJws, type JsonObject } from "./strict.js";
import { normalTarget, targetOf } from "./target.js";

export const CHALLENGES = ["nonce_missing", "nonce_unknown", "nonce_stale", "nonce_before_start", "nonce_needed"];
const AHEAD_SECS_MAX = 60;

/** What a verifier is configured with, and its clock. */
export interface Terms {
  now: number;
  origins: string[];
  limits: { age: number; skew: number; algorithms: string[] };
  nonces: { key: string; step: number; steps_accepted: number };
  nonceRule: string;
  nonceMintedFrom?: number | undefined;
}

/** What came of a proof that passed. */
export interface Accepted {
  jkt: string;
  origin: number;
  spent: string;
  remember_until: number;
  nonce: string;
}

/** Makes all checks, in the order in which the page says that the vectors name reasons. */
export async function verify(
  terms: Terms,
  method: string,
  path: string,
  proof: string,
  accessToken?: string,
): Promise<Accepted> {
  const jws = parseJws(proof);
  if (jws.header.get("typ") !== "dpop+jwt") throw new Refused("wrong_type");
  const algorithm = allowedAlgorithm(terms, jws.header);
  const jwk = publicKey(jws.header, algorithm);
  const claims = readClaims(jws.payload);
  if (claims.htm !== method) throw new Refused("wrong_method");
  const [origin, target] = calledTarget(terms, claims.htu, path);
  const [nonce, nonceEnd] = nonceStanding(terms, claims.nonce);
  const rememberUntil = recent(terms, claims.iat, nonceEnd);
  if (accessToken !== undefined) {
    if (!jws.payload.has("ath")) throw new Refused("ath_missing");
    if (jws.payload.get("ath") !== athOf(accessToken)) throw new Refused("ath_mismatch");
  }
  await checkSignature(jws, jwk, algorithm);
  const jkt = await thumbprint(jwk);
  const spent = identity(decode(jkt), target, claims.jti);
  return { jkt, origin, spent, remember_until: rememberUntil, nonce };
}

/** A nonce of that time. */
export function mint(terms: Terms, mintedMillis: number): string {
  const minted = Buffer.alloc(8);
  minted.writeBigUInt64BE(BigInt(mintedMillis));
  return encode(Buffer.concat([minted, nonceTag(terms, minted)]));
}

/** The claim that binds a proof to a token. */
export function athOf(accessToken: string): string {
  return createHash("sha256").update(accessToken).digest("base64url");
}

function nonceTag(terms: Terms, minted: Uint8Array): Buffer {
  const mac = createHmac("sha256", decode(terms.nonces.key));
  return mac.update("countersign dpop nonce 1").update(minted).digest().subarray(0, 16);
}

function allowedAlgorithm(terms: Terms, header: JsonObject): string {
  const algorithm = header.get("alg");
  if (typeof algorithm !== "string") throw new Refused("algorithm_missing");
  const name = algorithm === "EdDSA" ? "Ed25519" : algorithm;
  if (!Object.hasOwn(ALGORITHMS, algorithm) || !terms.limits.algorithms.includes(name)) {
    throw new Refused("algorithm_not_allowed");
  }
  return algorithm;
}

function calledTarget(terms: Terms, htu: string, path: string): [number, string] {
  const targets = otherwise("path_not_plain", () => terms.origins.map((origin) => targetOf(origin, path)));
  const claimed = otherwise("htu_malformed", () => normalTarget(htu));
  const origin = targets.indexOf(claimed);
  if (origin < 0) throw new Refused("wrong_target");
  return [origin, claimed];
}

function nonceStanding(terms: Terms, nonce: string | undefined): [string, number | undefined] {
  if (terms.nonceRule === "off") return ["absent", undefined];
  if (nonce === undefined) {
    if (terms.nonceRule === "required") throw new Refused("nonce_missing");
    return ["absent", undefined];
  }
  const made = Buffer.from(otherwise("nonce_unknown", () => decode(nonce)));
  if (made.length !== 24 || !timingSafeEqual(nonceTag(terms, made.subarray(0, 8)), made.subarray(8))) {
    throw new Refused("nonce_unknown");
  }
  const minted = made.readBigUInt64BE();
  const [step, now] = [BigInt(terms.nonces.step) * 1000n, BigInt(terms.now) * 1000n];
  const endStep = minted / step + BigInt(terms.nonces.steps_accepted);
  const stepsLeft = endStep - now / step;
  if (minted > now + BigInt(AHEAD_SECS_MAX) * 1000n || stepsLeft <= 0n) throw new Refused("nonce_stale");
  if (terms.nonceMintedFrom !== undefined && minted < BigInt(terms.nonceMintedFrom) * 1000n) {
    throw new Refused("nonce_before_start");
  }
  return [stepsLeft === 1n ? "expiring" : "fresh", Number(endStep) * terms.nonces.step];
}

/** Until when the proof is to be remembered. */
function recent(terms: Terms, iat: number, nonceEnd: number | undefined): number {
  const skew = Math.min(terms.limits.skew, 60);
  const tooOld = iat + terms.limits.age < terms.now;
  const inFuture = iat > terms.now + skew;
  const windowEnd = iat + terms.limits.age + Math.max(skew, 1);
  if (nonceEnd !== undefined) return tooOld || inFuture ? nonceEnd : Math.max(nonceEnd, windowEnd);
  if (!tooOld && !inFuture) return windowEnd;
  if (iat > terms.now + 60) throw new Refused("in_future");
  if (terms.nonceRule !== "off") throw new Refused("nonce_needed");
  throw new Refused(inFuture ? "in_future" : "too_old");
}

function readClaims(payload: JsonObject) {
  const text = (name: string): string => {
    const claim = payload.get(name);
    if (claim === undefined) throw new Refused(`${name}_missing`);
    if (typeof claim !== "string") throw new Refused(`${name}_malformed`);
    return claim;
  };
  const jti = text("jti");
  if (jti === "" || Buffer.byteLength(jti) > 128) throw new Refused("jti_malformed");
  const [htm, htu] = [text("htm"), text("htu")];
  const iat = payload.get("iat");
  if (iat === undefined) throw new Refused("iat_missing");
  if (typeof iat !== "number" || iat < 0 || iat > Number.MAX_SAFE_INTEGER) {
    throw new Refused("iat_malformed");
  }
  const nonce = payload.get("nonce");
  if (nonce !== undefined && typeof nonce !== "string") throw new Refused("nonce_malformed");
  return { jti, htm, htu, iat: Math.floor(iat), nonce };
}

/** A proof's identity, section 7. */
function identity(jkt: Uint8Array, target: string, jti: string): string {
  const hash = createHash("sha256");
  for (const part of [jkt, Buffer.from(target), Buffer.from(jti)]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(part.length));
    hash.update(length).update(part);
  }
  return hash.digest("base64url");
}
