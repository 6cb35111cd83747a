"""What a guard makes of a call's metadata: sections 1 and 9 of the page."""

from answers import UNAUTHENTICATED

INVALID_ARGUMENT = 3
_TOKEN_BYTES_MAX = 8192
_ALGS = 'algs="ES256 Ed25519"'


def outcome(metadata: list[tuple[str, str]], token: str) -> dict:
    """The status of the call, where `TOKEN` is a token of that kind and `PROOF` a good proof."""
    authorization = [value for key, value in metadata if key == "authorization"]
    proofs = [value for key, value in metadata if key == "dpop"]
    if not authorization:
        return _refused(UNAUTHENTICATED, "REASON_CREDENTIALS_MISSING", None)
    if len(authorization) > 1 or "," in authorization[0]:
        return _refused(INVALID_ARGUMENT, "REASON_INVALID_REQUEST", "invalid_request")
    scheme, _, presented = authorization[0].partition(" ")
    presented = presented.lstrip(" ")
    if scheme.lower() not in ("dpop", "bearer"):
        return _refused(UNAUTHENTICATED, "REASON_CREDENTIALS_MISSING", None)
    if not presented or " " in presented:
        return _refused(INVALID_ARGUMENT, "REASON_INVALID_REQUEST", "invalid_request")
    if len(presented) > _TOKEN_BYTES_MAX:
        return _refused(UNAUTHENTICATED, "REASON_TOKEN_INVALID", "invalid_token")
    if token == "expired":
        return _refused(UNAUTHENTICATED, "REASON_TOKEN_EXPIRED", "invalid_token")
    if token == "unbound" or scheme.lower() == "bearer":
        return _refused(UNAUTHENTICATED, "REASON_TOKEN_INVALID", "invalid_token")
    if proofs != ["PROOF"]:
        return _refused(UNAUTHENTICATED, "REASON_DPOP_PROOF_INVALID", "invalid_dpop_proof")
    if token == "bound_to_another_key":
        return _refused(UNAUTHENTICATED, "REASON_TOKEN_INVALID", "invalid_token")
    return {"code": 0}


def _refused(code: int, reason: str, error: str | None) -> dict:
    challenge = None
    if code == UNAUTHENTICATED:
        challenge = f"DPoP {_ALGS}" if error is None else f'DPoP error="{error}", {_ALGS}'
    return {"code": code, "reason": reason, "oauth_error": error, "www_authenticate": challenge}
