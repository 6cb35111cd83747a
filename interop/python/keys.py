"""Keys and signatures, section 2 of the page. The cryptography is joserfc's."""

import hashlib
import json

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from strict import Jws, Refused, base64url

ALGORITHMS = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
    "PS256": ("RSA", None),
    "RS256": ("RSA", None),
}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_COORDINATE_BYTES = {"P-256": 32, "P-384": 48}
_FIELD = 2**255 - 19
_ORDERS = {
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "P-384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}


def fitting(header: dict, algorithm: str) -> dict:
    """The header's `jwk`, if it is a public key that fits the algorithm."""
    if "jwk" not in header:
        raise Refused("key_missing")
    jwk = header["jwk"]
    if not isinstance(jwk, dict):
        raise Refused("key_malformed")
    if _PRIVATE & jwk.keys():
        raise Refused("private_key")
    try:
        _whole(jwk)
    except ValueError:
        raise Refused("key_malformed") from None
    alg = jwk.get("alg", algorithm)
    same = alg == algorithm or {alg, algorithm} == {"EdDSA", "Ed25519"}
    for_this = jwk.get("use", "sig") == "sig" and jwk.get("key_ops", ["verify"]) == ["verify"]
    kty, crv = ALGORITHMS[algorithm]
    if not same or not for_this or jwk["kty"] != kty or crv not in (None, jwk.get("crv")):
        raise Refused("key_mismatch")
    return jwk


def thumbprint(jwk: dict) -> bytes:
    """RFC 7638."""
    members = {"EC": "crv kty x y", "OKP": "crv kty x", "RSA": "e kty n"}[jwk["kty"]].split()
    text = json.dumps({name: jwk[name] for name in members}, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def check_signature(proof: Jws, jwk: dict, algorithm: str) -> None:
    """Verifies, or refuses with `bad_signature`."""
    if jwk["kty"] == "EC":
        size, order = _COORDINATE_BYTES[jwk["crv"]], _ORDERS[jwk["crv"]]
        halves = proof.signature[:size], proof.signature[size:]
        if len(proof.signature) != 2 * size or not all(
            0 < int.from_bytes(half, "big") < order for half in halves
        ):
            raise Refused("bad_signature")
    bare = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    key = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}[jwk["kty"]].import_key(bare)
    try:
        # The registry of the library would want to know every header parameter.
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        jws.deserialize_compact(proof.text, key, registry=registry)
    except (JoseError, ValueError):
        raise Refused("bad_signature") from None


def _whole(jwk: dict) -> None:
    if not isinstance(jwk.get("kid", ""), str):
        raise ValueError("kid")
    match jwk.get("kty"):
        case "EC":
            size = _COORDINATE_BYTES.get(jwk.get("crv"))
            if size is None or any(len(_bytes(jwk, name)) != size for name in "xy"):
                raise ValueError("curve or coordinates")
            # Refuses a point that is not on the curve.
            ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")}).raw_value
        case "OKP":
            if jwk.get("crv") != "Ed25519":
                raise ValueError("curve")
            _edwards_point(_bytes(jwk, "x"))
        case "RSA":
            n, e = _bytes(jwk, "n"), _bytes(jwk, "e")
            if not n or not e or n[0] == 0 or e[0] == 0:
                raise ValueError("not in the fewest bytes")
            modulus, exponent = int.from_bytes(n, "big"), int.from_bytes(e, "big")
            if not 2048 <= modulus.bit_length() <= 4096 or modulus % 2 == 0:
                raise ValueError("modulus")
            if exponent < 3 or exponent % 2 == 0 or exponent.bit_length() > 32:
                raise ValueError("exponent")
        case _:
            raise ValueError("kty")


def _bytes(jwk: dict, name: str) -> bytes:
    if not isinstance(jwk.get(name), str):
        raise ValueError(name)
    return base64url(jwk[name])


def _edwards_point(encoded: bytes) -> None:
    """The canonical encoding of a point whose order does not divide 8 (RFC 8032, section 5.1.3)."""
    if len(encoded) != 32:
        raise ValueError("length")
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= _FIELD:
        raise ValueError("not canonical")
    d = -121665 * pow(121666, -1, _FIELD) % _FIELD
    square = (y * y - 1) * pow(d * y * y + 1, -1, _FIELD) % _FIELD
    x = pow(square, (_FIELD + 3) // 8, _FIELD)
    if x * x % _FIELD != square:
        x = x * pow(2, (_FIELD - 1) // 4, _FIELD) % _FIELD
    if x * x % _FIELD != square or x == 0 and sign:
        raise ValueError("no point")
    if x % 2 != sign:
        x = _FIELD - x
    point = x, y
    for _ in range(3):
        point = _doubled(*point, d)
    if point == (0, 1):
        raise ValueError("small order")


def _doubled(x: int, y: int, d: int) -> tuple[int, int]:
    product = d * x * x * y * y % _FIELD
    return (
        2 * x * y * pow(1 + product, -1, _FIELD) % _FIELD,
        (y * y + x * x) * pow(1 - product, -1, _FIELD) % _FIELD,
    )
