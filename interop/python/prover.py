"""Making proofs, section 2 of the page. joserfc signs."""

import json
import secrets
import time

from joserfc import jws
from joserfc.jwk import ECKey

import target
from verifier import ath


class Prover:
    """A key of its own, and proofs with it."""

    def __init__(self):
        self._key = ECKey.generate_key("P-256", private=True)

    def prove(
        self, origin: str, path: str, nonce: str | None = None, access_token: str | None = None
    ) -> str:
        """A fresh proof for one attempt of a call; a ValueError for a path that is not plain."""
        public = self._key.as_dict(private=False)
        jwk = {name: public[name] for name in ("kty", "crv", "x", "y")}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": "POST",
            "htu": target.of_call(target.origin(origin), path),
            "iat": int(time.time()),
        }
        if access_token is not None:
            claims["ath"] = ath(access_token)
        if nonce is not None:
            claims["nonce"] = nonce
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        return jws.serialize_compact(header, json.dumps(claims), self._key, registry=registry)
