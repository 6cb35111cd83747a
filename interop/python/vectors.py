"""Runs the published vectors."""

import json
from pathlib import Path

import target
from strict import Refused, base64url
from verifier import CHALLENGES, Verifier


def run(path: Path) -> int:
    """Runs all and prints what came of it; the number of vectors that failed."""
    document = json.loads(path.read_text())
    return sum(
        section(name, document[name], lambda vector: check(document, vector))
        for name, check in SECTIONS.items()
    )


def section(name: str, vectors: list[dict], check) -> int:
    """Runs one section: `check` returns what differs from the vector, or nothing."""
    failed = 0
    for vector in vectors:
        differs = check(vector)
        if differs:
            failed += 1
            print(f"FAILED {name}: {vector.get('name', vector)}: {differs}")
    print(f"{name}: {len(vectors)} run, {len(vectors) - failed} passed, {failed} failed, 0 not applicable")
    return failed


def differs(got, wanted) -> str | None:
    return None if got == wanted else f"got {got}, wanted {wanted}"


def verify(document: dict, vector: dict) -> str | None:
    limits = vector.get("limits", document["limits"])
    verifier = Verifier(
        now=document["now"],
        origins=document["origins"],
        age=limits["age"],
        skew=limits["skew"],
        algorithms=set(limits["algorithms"]),
        nonce_key=base64url(document["nonces"]["key"]),
        nonce_step=document["nonces"]["step"],
        nonce_steps=document["nonces"]["steps_accepted"],
        nonce_rule=vector["nonce_rule"],
        nonce_minted_from=vector.get("nonce_minted_from"),
    )
    wanted = dict(vector["outcome"])
    wanted.pop("check", None)
    try:
        got = verifier.check(
            vector["method"], vector["path"], vector["proof"], vector.get("access_token")
        )
    except Refused as refused:
        error = "use_dpop_nonce" if refused.reason in CHALLENGES else "invalid_dpop_proof"
        got = {"error": error, "reason": refused.reason}
    return differs(got, wanted)


SECTIONS = {"vectors": verify}
