// What a client makes of an answer: sections 8 and 10 of the page.

import * as grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";

export const DOMAIN = "countersign";
export const KEPT_BYTES_MAX = 64 * 1024;

const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,1024}$/;
const CHALLENGE = /^dpop( |$)/i;

/** What came back, as far as the decision needs it. */
export interface Answer {
  code: number;
  /** Response headers, or a message, came before the status. */
  headers_first: boolean;
  www_authenticate: string[];
  dpop_nonce: string[];
  domain: string | null;
  reason: string | null;
}

export type Then = "finish" | "send_again" | "send_again_with_another_token";

/** The nonce to use from now on. */
export function newest(held: string | null, answer: Answer): string | null {
  const [nonce, second] = answer.dpop_nonce;
  const lookedAt = answer.code === grpc.status.OK || !answer.headers_first;
  return lookedAt && nonce !== undefined && second === undefined && NONCE.test(nonce) ? nonce : held;
}

/**
 * What to do: `attempt` is 2 if the call was sent again for this very reason, `sent` the attempt's
 * nonce, `held` the newest one after the answer.
 */
export function then(
  answer: Answer,
  attempt: number,
  sentIsKept: boolean,
  sent: string | null,
  held: string | null,
): Then {
  const asked =
    answer.code === grpc.status.UNAUTHENTICATED &&
    !answer.headers_first &&
    answer.domain === DOMAIN &&
    CHALLENGE.test(answer.www_authenticate[0] ?? "");
  if (!asked || attempt > 1 || !sentIsKept) return "finish";
  switch (answer.reason) {
    case "REASON_DPOP_NONCE_REQUIRED":
      return held === sent ? "finish" : "send_again";
    case "REASON_TOKEN_EXPIRED":
    case "REASON_TOKEN_REVOKED":
      return "send_again_with_another_token";
  }
  return "finish";
}

/** What a refusal says. */
export interface Refusal {
  reason: string;
  oauth_error: string | null;
  scopes: string[];
  acr_values: string[];
  max_age_secs: number | null;
  retry_after_millis: number | null;
  fields: [string, string][];
}

// The messages of google.rpc, as far as they are read here; field numbers from their .proto files.
const messages = protobuf.parse(`
  syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message FieldViolation { string field = 1; string description = 2; }
  message BadRequest { repeated FieldViolation field_violations = 1; }
`, { keepCase: true }).root;

function read(name: string, data: Uint8Array): Record<string, any> {
  const type = messages.lookupType(name);
  return type.toObject(type.decode(data), { defaults: true, longs: Number });
}

function words(text: string | undefined): string[] {
  return (text ?? "").split(" ").filter((word) => word !== "");
}

/** Reads `grpc-status-details-bin`; null where it is not Countersign's. */
export function refusal(details: Uint8Array): Refusal | null {
  let found: Record<string, any> | undefined;
  let retryAfter: number | null = null;
  let fields: [string, string][] = [];
  try {
    for (const { type_url, value } of read("Status", details).details) {
      switch (type_url.split("/").at(-1)) {
        case "google.rpc.ErrorInfo": {
          const info = read("ErrorInfo", value);
          if (info.domain === DOMAIN) found = info;
          break;
        }
        case "google.rpc.RetryInfo": {
          const delay = read("RetryInfo", value).retry_delay;
          retryAfter = delay.seconds * 1000 + Math.floor(delay.nanos / 1e6);
          break;
        }
        case "google.rpc.BadRequest":
          fields = read("BadRequest", value).field_violations.map((violation: Record<string, string>) => [
            violation.field,
            violation.description,
          ]);
          break;
      }
    }
  } catch {
    return null;
  }
  if (!found) return null;
  return {
    reason: found.reason,
    oauth_error: found.metadata.oauth_error ?? null,
    scopes: words(found.metadata.scope),
    acr_values: words(found.metadata.acr_values),
    max_age_secs: /^[0-9]+$/.test(found.metadata.max_age ?? "") ? Number(found.metadata.max_age) : null,
    retry_after_millis: retryAfter,
    fields,
  };
}
