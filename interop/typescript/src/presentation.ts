// What a guard makes of a call's metadata: sections 1 and 9 of the page.

import { status } from "@grpc/grpc-js";

const TOKEN_BYTES_MAX = 8192;
const ALGS = 'algs="ES256 Ed25519"';

/** The status of the call, where `TOKEN` is a token of that kind and `PROOF` a good proof. */
export function outcome(metadata: [string, string][], token: string): Record<string, unknown> {
  const values = (key: string) => metadata.filter(([name]) => name === key).map(([, value]) => value);
  const [authorization, another] = values("authorization");
  const proofs = values("dpop");
  const missing = refused(status.UNAUTHENTICATED, "REASON_CREDENTIALS_MISSING", null);
  const malformed = refused(status.INVALID_ARGUMENT, "REASON_INVALID_REQUEST", "invalid_request");
  const invalid = refused(status.UNAUTHENTICATED, "REASON_TOKEN_INVALID", "invalid_token");

  if (authorization === undefined) return missing;
  if (another !== undefined || authorization.includes(",")) return malformed;
  const [, scheme = "", presented = ""] = /^([^ ]*) *(.*)$/s.exec(authorization) ?? [];
  const name = scheme.toLowerCase();
  if (name !== "dpop" && name !== "bearer") return missing;
  if (presented === "" || presented.includes(" ")) return malformed;
  if (Buffer.byteLength(presented) > TOKEN_BYTES_MAX) return invalid;
  if (token === "expired") return refused(status.UNAUTHENTICATED, "REASON_TOKEN_EXPIRED", "invalid_token");
  if (token === "unbound" || name === "bearer") return invalid;
  if (proofs.length !== 1 || proofs[0] !== "PROOF") {
    return refused(status.UNAUTHENTICATED, "REASON_DPOP_PROOF_INVALID", "invalid_dpop_proof");
  }
  return token === "bound_to_another_key" ? invalid : { code: 0 };
}

function refused(code: status, reason: string, error: string | null) {
  const challenge = error === null ? `DPoP ${ALGS}` : `DPoP error="${error}", ${ALGS}`;
  const challenged = code === status.UNAUTHENTICATED;
  return { code, reason, oauth_error: error, www_authenticate: challenged ? challenge : null };
}
