// Runs the published vectors: as a verifier, as a prover, as a client.

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { newest, refusal, then } from "./answers.js";
import { outcome } from "./presentation.js";
import { Prover } from "./prover.js";
import { Refused, decode, parseJws } from "./strict.js";
import { normalTarget, originOf, targetOf } from "./target.js";
import { CHALLENGES, mint, verify, type Terms } from "./verifier.js";

/** A row of a table: what came, and what was wanted. */
type Check = (document: any, row: any) => Promise<[unknown, unknown]> | [unknown, unknown];

const SECTIONS: Record<string, Check> = {
  vectors: verified,
  targets: (_, row) => [orNull(() => normalTarget(row.htu)), row.target],
  origin_uris: (_, row) => [orNull(() => originOf(row.uri)), row.origin],
  paths: (_, row) => [orNull(() => targetOf(row.origin, row.path)), row.target],
  minted: (document, row) => [mint(terms(document, row), row.minted_millis), row.nonce],
  proofs: made,
  presentations: (_, row) => [outcome(row.metadata, row.token), row.outcome],
  answers: answered,
  errors: refusedWith,
};

/** Runs all, prints what came of it, and says whether all passed. */
export async function runVectors(file: string): Promise<boolean> {
  const document = JSON.parse(readFileSync(file, "utf8"));
  let failed = 0;
  for (const [name, value] of Object.entries(document)) {
    if (Array.isArray(value) && name !== "origins" && !Object.hasOwn(SECTIONS, name)) {
      failed++;
      console.log(`FAILED: a section that is not known: ${name}`);
    }
  }
  for (const [name, check] of Object.entries(SECTIONS)) {
    let passed = 0;
    for (const row of document[name]) {
      const [got, wanted] = await check(document, row);
      if (isDeepStrictEqual(got, wanted)) passed++;
      else console.log(`FAILED ${name}:`, row.name ?? row, "got", got, "wanted", wanted);
    }
    console.log(`${name}: ${document[name].length} run, ${passed} passed, 0 not applicable`);
    failed += document[name].length - passed;
  }
  return failed === 0;
}

function terms(document: any, row: any): Terms {
  return {
    now: document.now,
    origins: document.origins,
    limits: row.limits ?? document.limits,
    nonces: document.nonces,
    nonceRule: row.nonce_rule ?? "off",
    nonceMintedFrom: row.nonce_minted_from,
  };
}

function orNull<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}

async function verified(document: any, row: any): Promise<[unknown, unknown]> {
  // Which of the RFC's numbers a check has is for people.
  const { check: _, ...wanted } = row.outcome;
  try {
    const terms_ = terms(document, row);
    return [await verify(terms_, row.method, row.path, row.proof, row.access_token), wanted];
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    const error = CHALLENGES.includes(refused.reason) ? "use_dpop_nonce" : "invalid_dpop_proof";
    return [{ error, reason: refused.reason }, wanted];
  }
}

/** Makes two proofs, reads them strictly and verifies them. */
async function made(_: any, row: any): Promise<[unknown, unknown]> {
  const prover = await Prover.create();
  const jtis = new Set<unknown>();
  let claims: Record<string, unknown> = {};
  for (let times = 0; times < 2; times++) {
    let proof: string;
    try {
      proof = await prover.prove(row.origin, row.path, row.nonce, row.access_token);
    } catch {
      return [null, row.claims];
    }
    const { jti, iat, ...others } = Object.fromEntries(parseJws(proof).payload);
    // As a verifier that lives at the origin, now.
    const limits = { age: 60, skew: 10, algorithms: ["ES256"] };
    const here = {
      now: Number(iat),
      origins: [row.origin],
      limits,
      nonces: { key: "", step: 60, steps_accepted: 3 },
      nonceRule: "off",
    };
    await verify(here, row.method, row.path, proof, row.access_token);
    // 96 random bits are 16 characters of base64url.
    if (String(jti).length >= 16) jtis.add(jti);
    claims = others;
  }
  return [jtis.size === 2 ? claims : [...jtis], row.claims];
}

function answered(_: any, row: any): [unknown, unknown] {
  const held = newest(row.held, row);
  const what = then(row, row.attempt, row.sent_is_kept, row.held, held);
  return [[what, held], [row.then, row.held_after]];
}

function refusedWith(_: any, row: any): [unknown, unknown] {
  const wanted = {
    reason: row.reason,
    oauth_error: row.oauth_error,
    scopes: row.scopes ?? [],
    acr_values: row.acr_values ?? [],
    max_age_secs: row.max_age_secs ?? null,
    retry_after_millis: row.retry_after_millis ?? null,
    fields: row.fields ?? [],
  };
  return [refusal(decode(row.details)), row.reason === null ? null : wanted];
}
