"""A verifier of proofs: sections 3, 5, 6 and 7 of the page."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass

import keys
import target
from strict import Jws, Refused, base64url

CHALLENGES = {"nonce_missing", "nonce_unknown", "nonce_stale", "nonce_before_start", "nonce_needed"}
_AHEAD_SECS_MAX = 60
_IAT_MAX = 2**53 - 1


@dataclass
class Verifier:
    """What a verifier is configured with, and its clock."""

    now: int
    origins: list[str]
    age: int
    skew: int
    algorithms: set[str]
    nonce_key: bytes
    nonce_step: int
    nonce_steps: int
    nonce_rule: str
    nonce_minted_from: int | None

    def check(self, method: str, path: str, proof: str, access_token: str | None) -> dict:
        """The outcome of an accepted proof; else Refused."""
        # In the order in which the page says that the vectors name reasons.
        jws = Jws(proof)
        header, claims = jws.header, jws.payload
        if header.get("typ") != "dpop+jwt":
            raise Refused("wrong_type")
        algorithm = self._algorithm(header)
        jwk = keys.fitting(header, algorithm)
        jti, htm, htu, iat, nonce = _claims(claims)
        if htm != method:
            raise Refused("wrong_method")
        origin = self._origin(htu, path)
        standing, nonce_end = self._nonce(nonce)
        remember_until = self._recent(iat, nonce_end)
        if access_token is not None:
            if "ath" not in claims:
                raise Refused("ath_missing")
            if claims["ath"] != ath(access_token):
                raise Refused("ath_mismatch")
        keys.check_signature(jws, jwk, algorithm)
        jkt = keys.thumbprint(jwk)
        called = target.of_call(target.origin(self.origins[origin]), path)
        return {
            "jkt": encoded(jkt),
            "origin": origin,
            "spent": encoded(spent(jkt, called, jti)),
            "remember_until": remember_until,
            "nonce": standing,
        }

    def mint(self, minted_millis: int) -> str:
        """A nonce of that time."""
        minted = minted_millis.to_bytes(8, "big")
        return encoded(minted + self._tag(minted))

    def _algorithm(self, header: dict) -> str:
        algorithm = header.get("alg")
        if not isinstance(algorithm, str):
            raise Refused("algorithm_missing")
        known = "Ed25519" if algorithm == "EdDSA" else algorithm
        if known not in self.algorithms or algorithm not in keys.ALGORITHMS:
            raise Refused("algorithm_not_allowed")
        return algorithm

    def _origin(self, htu: str, path: str) -> int:
        try:
            targets = [target.of_call(target.origin(origin), path) for origin in self.origins]
        except ValueError:
            raise Refused("path_not_plain") from None
        try:
            return targets.index(target.normal(htu))
        except ValueError:
            pass
        try:
            target.normal(htu)
        except ValueError:
            raise Refused("htu_malformed") from None
        raise Refused("wrong_target")

    def _nonce(self, nonce: str | None) -> tuple[str, int | None]:
        if self.nonce_rule == "off":
            return "absent", None
        if nonce is None:
            if self.nonce_rule == "required":
                raise Refused("nonce_missing")
            return "absent", None
        try:
            made = base64url(nonce)
        except ValueError:
            raise Refused("nonce_unknown") from None
        if len(made) != 24 or not hmac.compare_digest(self._tag(made[:8]), made[8:]):
            raise Refused("nonce_unknown")
        minted = int.from_bytes(made[:8], "big")
        step = self.nonce_step * 1000
        steps_left = minted // step + self.nonce_steps - self.now * 1000 // step
        if minted > (self.now + _AHEAD_SECS_MAX) * 1000 or steps_left <= 0:
            raise Refused("nonce_stale")
        if self.nonce_minted_from is not None and minted < self.nonce_minted_from * 1000:
            raise Refused("nonce_before_start")
        end = (minted // step + self.nonce_steps) * self.nonce_step
        return ("expiring" if steps_left == 1 else "fresh"), end

    def _recent(self, iat: int, nonce_end: int | None) -> int:
        skew = min(self.skew, 60)
        too_old, in_future = iat + self.age < self.now, iat > self.now + skew
        window_end = iat + self.age + max(skew, 1)
        if nonce_end is not None:
            return nonce_end if too_old or in_future else max(nonce_end, window_end)
        if not too_old and not in_future:
            return window_end
        if iat > self.now + 60:
            raise Refused("in_future")
        if self.nonce_rule != "off":
            raise Refused("nonce_needed")
        raise Refused("in_future" if in_future else "too_old")

    def _tag(self, minted: bytes) -> bytes:
        return hmac.digest(self.nonce_key, b"countersign dpop nonce 1" + minted, "sha256")[:16]


def ath(access_token: str) -> str:
    """The claim that binds a proof to a token."""
    return encoded(hashlib.sha256(access_token.encode()).digest())


def spent(jkt: bytes, called: str, jti: str) -> bytes:
    """A proof's identity, section 7."""
    parts = jkt, called.encode(), jti.encode()
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _claims(claims: dict) -> tuple[str, str, str, int, str | None]:
    texts = []
    for name in ("jti", "htm", "htu"):
        if name not in claims:
            raise Refused(f"{name}_missing")
        if not isinstance(claims[name], str):
            raise Refused(f"{name}_malformed")
        if name == "jti" and not 1 <= len(claims[name].encode()) <= 128:
            raise Refused("jti_malformed")
        texts.append(claims[name])
    if "iat" not in claims:
        raise Refused("iat_missing")
    iat = claims["iat"]
    if isinstance(iat, bool) or not isinstance(iat, (int, float)) or not 0 <= iat <= _IAT_MAX:
        raise Refused("iat_malformed")
    if not isinstance(claims.get("nonce", ""), str):
        raise Refused("nonce_malformed")
    return *texts, int(iat), claims.get("nonce")
