"""Strict reading, section 2 of the page: base64url, JSON, and the three segments of a proof."""

import json
import math
import re

DEPTH_MAX = 16
PROOF_BYTES_MAX = 4096

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


class Refused(Exception):
    """A proof that breaks a rule. `reason` is a label of the page's table of checks."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def base64url(text: str) -> bytes:
    """Canonical base64url without padding; anything else is a ValueError."""
    if len(text) % 4 == 1:
        raise ValueError("a length that no bytes have")
    bits, number, decoded = 0, 0, bytearray()
    for letter in text:
        if letter not in _VALUES:
            raise ValueError("a character of another alphabet")
        number = number << 6 | _VALUES[letter]
        bits += 6
        if bits >= 8:
            bits -= 8
            decoded.append(number >> bits)
            number &= (1 << bits) - 1
    if number:
        raise ValueError("spare bits are set")
    return bytes(decoded)


def json_object(data: bytes) -> dict:
    """A JSON object that no two readers can read differently; else a ValueError."""
    text = data.decode("utf-8")  # UnicodeDecodeError is a ValueError
    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark")
    if text[:1] in " \t\r\n":
        text = text.lstrip(" \t\r\n")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _look_at(value, DEPTH_MAX)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _members(pairs: list) -> dict:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _no_constant(name: str):
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number beyond a double")
    return number


def _look_at(value, depth_left: int) -> None:
    if isinstance(value, str):
        if "\0" in value or _HALF_A_PAIR.search(value):
            raise ValueError("U+0000 or half of a surrogate pair")
    elif isinstance(value, int) and not isinstance(value, bool):
        try:
            float(value)
        except OverflowError:
            raise ValueError("a number beyond a double") from None
    elif isinstance(value, (dict, list)):
        if depth_left == 0:
            raise ValueError("nested too deeply")
        for inner in value.values() if isinstance(value, dict) else value:
            _look_at(inner, depth_left - 1)
        for name in value if isinstance(value, dict) else ():
            _look_at(name, depth_left)


class Jws:
    """A compact JWS whose form is good. Nothing in it is to be believed yet."""

    def __init__(self, text: str):
        if len(text.encode("utf-8", "surrogatepass")) > PROOF_BYTES_MAX:
            raise Refused("too_large")
        segments = text.split(".")
        if len(segments) != 3:
            raise Refused("not_compact")
        header, payload, signature = (self._decoded(segment) for segment in segments)
        self.text = text
        self.signature = signature
        self.header = self._object(header)
        if "crit" in self.header or self.header.get("b64", True) is not True:
            raise Refused("extension")
        if not isinstance(self.header.get("kid", ""), str):
            raise Refused("header_malformed")
        self.payload = self._object(payload)

    @staticmethod
    def _decoded(segment: str) -> bytes:
        try:
            return base64url(segment)
        except ValueError:
            raise Refused("not_base64url") from None

    @staticmethod
    def _object(data: bytes) -> dict:
        try:
            return json_object(data)
        except ValueError:
            raise Refused("not_json") from None
