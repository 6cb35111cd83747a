"""Runs the published vectors: as a verifier, as a prover, as a client."""

import json
from dataclasses import asdict
from pathlib import Path

import answers
import presentation
import target
from prover import Prover
from strict import Jws, Refused, base64url
from verifier import CHALLENGES, Verifier


def run(path: Path) -> bool:
    """Runs all, prints what came of it, and says whether all passed."""
    document = json.loads(path.read_text())
    tables = {name for name, value in document.items() if isinstance(value, list)} - {"origins"}
    failed = len(tables ^ SECTIONS.keys())
    if failed:
        print(f"FAILED: sections that only one side knows: {tables ^ SECTIONS.keys()}")
    for name, check in SECTIONS.items():
        failed += _section(name, document, check)
    return failed == 0


def _section(name: str, document: dict, check) -> int:
    rows, failed = document[name], 0
    for row in rows:
        got, wanted = check(document, row)
        if got != wanted:
            failed += 1
            print(f"FAILED {name}: {row.get('name', row)}: got {got}, wanted {wanted}")
    print(f"{name}: {len(rows)} run, {len(rows) - failed} passed, 0 not applicable")
    return failed


def _verify(document: dict, row: dict):
    verifier = _verifier(document, row)
    wanted = dict(row["outcome"])
    # Which of the RFC's numbers a check has is for people.
    wanted.pop("check", None)
    try:
        return verifier.check(row["method"], row["path"], row["proof"], row.get("access_token")), wanted
    except Refused as refused:
        error = "use_dpop_nonce" if refused.reason in CHALLENGES else "invalid_dpop_proof"
        return {"error": error, "reason": refused.reason}, wanted


def _verifier(document: dict, row: dict) -> Verifier:
    limits = row.get("limits", document["limits"])
    return Verifier(
        now=document["now"],
        origins=document["origins"],
        age=limits["age"],
        skew=limits["skew"],
        algorithms=set(limits["algorithms"]),
        nonce_key=base64url(document["nonces"]["key"]),
        nonce_step=document["nonces"]["step"],
        nonce_steps=document["nonces"]["steps_accepted"],
        nonce_rule=row.get("nonce_rule", "off"),
        nonce_minted_from=row.get("nonce_minted_from"),
    )


def _or_none(make):
    try:
        return make()
    except ValueError:
        return None


def _target(_, row: dict):
    return _or_none(lambda: target.normal(row["htu"])), row["target"]


def _origin_uri(_, row: dict):
    return _or_none(lambda: target.origin(row["uri"])), row["origin"]


def _path(_, row: dict):
    return _or_none(lambda: target.of_call(target.origin(row["origin"]), row["path"])), row["target"]


def _minted(document: dict, row: dict):
    return _verifier(document, row).mint(row["minted_millis"]), row["nonce"]


def _proof(_, row: dict):
    """Makes two proofs, reads them strictly and verifies them."""
    prover, claims, jtis = Prover(), [], set()
    for _ in range(2):
        nonce, token = row.get("nonce"), row.get("access_token")
        proof = _or_none(lambda: prover.prove(row["origin"], row["path"], nonce, token))
        if proof is None:
            return None, row["claims"]
        said = Jws(proof).payload
        iat, jti = said.pop("iat"), said.pop("jti")
        # As a verifier that lives at the origin, now.
        Verifier(iat, [row["origin"]], 60, 10, {"ES256"}, b"", 60, 3, "off", None).check(
            row["method"], row["path"], proof, token
        )
        claims.append(said)
        # 96 random bits are 16 characters of base64url.
        jtis |= {jti} if len(jti) >= 16 else set()
    if len(jtis) != 2 or claims[0] != claims[1]:
        return claims, row["claims"]
    return claims[0], row["claims"]


def _presentation(_, row: dict):
    return presentation.outcome(row["metadata"], row["token"]), row["outcome"]


def _answer(_, row: dict):
    members = ("code", "headers_first", "www_authenticate", "dpop_nonce", "domain", "reason")
    answer = answers.Answer(**{name: row[name] for name in members})
    held = answers.newest(row["held"], answer)
    then = answers.then(answer, row["attempt"], row["sent_is_kept"], row["held"], held)
    return (then, held), (row["then"], row["held_after"])


def _error(_, row: dict):
    read = answers.refusal(base64url(row["details"]))
    if row["reason"] is None:
        return read, None
    wanted = {
        "reason": row["reason"],
        "oauth_error": row["oauth_error"],
        "scopes": row.get("scopes", []),
        "acr_values": row.get("acr_values", []),
        "max_age_secs": row.get("max_age_secs"),
        "retry_after_millis": row.get("retry_after_millis"),
        "fields": row.get("fields", []),
    }
    return read and asdict(read), wanted


SECTIONS = {
    "vectors": _verify,
    "targets": _target,
    "origin_uris": _origin_uri,
    "paths": _path,
    "minted": _minted,
    "proofs": _proof,
    "presentations": _presentation,
    "answers": _answer,
    "errors": _error,
}
