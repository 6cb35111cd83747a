"""What a client makes of an answer: sections 8 and 10 of the page."""

import re
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "countersign"
KEPT_BYTES_MAX = 64 * 1024
UNAUTHENTICATED = 16

_NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,1024}")
_CHALLENGE = re.compile(r"dpop( |$)", re.IGNORECASE)


@dataclass
class Answer:
    """What came back, as far as the decision needs it."""

    code: int
    # Response headers, or a message, came before the status.
    headers_first: bool
    www_authenticate: list[str] = field(default_factory=list)
    dpop_nonce: list[str] = field(default_factory=list)
    domain: str | None = None
    reason: str | None = None


def newest(held: str | None, answer: Answer) -> str | None:
    """The nonce to use from now on."""
    looked_at = answer.code == 0 or not answer.headers_first
    if looked_at and len(answer.dpop_nonce) == 1 and _NONCE.fullmatch(answer.dpop_nonce[0]):
        return answer.dpop_nonce[0]
    return held


def then(answer: Answer, attempt: int, sent_is_kept: bool, sent: str | None, held: str | None) -> str:
    """What to do: `attempt` is 2 if the call was sent again for this very reason, `sent` the
    attempt's nonce, `held` the newest one after the answer."""
    asked = (
        answer.code == UNAUTHENTICATED
        and not answer.headers_first
        and answer.domain == DOMAIN
        and any(_CHALLENGE.match(value) for value in answer.www_authenticate[:1])
    )
    if not asked or attempt > 1 or not sent_is_kept:
        return "finish"
    if answer.reason == "REASON_DPOP_NONCE_REQUIRED" and held != sent:
        return "send_again"
    if answer.reason in ("REASON_TOKEN_EXPIRED", "REASON_TOKEN_REVOKED"):
        return "send_again_with_another_token"
    return "finish"


@dataclass
class Refusal:
    """What a refusal says."""

    reason: str
    oauth_error: str | None
    scopes: list[str]
    acr_values: list[str]
    max_age_secs: int | None
    retry_after_millis: int | None
    fields: list[list[str]]


def refusal(details: bytes) -> Refusal | None:
    """Reads `grpc-status-details-bin`; nothing where it is not Countersign's."""
    try:
        status = status_pb2.Status.FromString(details)
    except DecodeError:
        return None
    found = None
    retry_after, fields = None, []
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        retry, request = error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info) and info.domain == DOMAIN:
            found = info
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToMilliseconds()
        elif detail.Unpack(request):
            fields = [[violation.field, violation.description] for violation in request.field_violations]
    if found is None:
        return None
    metadata = dict(found.metadata)
    max_age = metadata.get("max_age")
    return Refusal(
        reason=found.reason,
        oauth_error=metadata.get("oauth_error"),
        scopes=metadata.get("scope", "").split(),
        acr_values=metadata.get("acr_values", "").split(),
        max_age_secs=int(max_age) if max_age is not None and max_age.isdecimal() else None,
        retry_after_millis=retry_after,
        fields=fields,
    )
