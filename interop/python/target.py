"""The target of a call, section 4 of the page."""

import ipaddress
import re

_UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]")
_SUB_DELIMS = "!$&'()*+,;="
_PCHAR = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@]")
_URI = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/?#\[\]]*")
_DEFAULT_PORTS = {"https": "443", "http": "80"}


def normal(uri: str) -> str:
    """The URI in its normal form, without query and fragment; a ValueError if it has none."""
    if not _URI.fullmatch(uri):
        raise ValueError("a character that no URI has")
    scheme, separator, rest = uri.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise ValueError("not an absolute http or https URI")
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{_authority(authority, _DEFAULT_PORTS[scheme])}{_path(slash + path)}"


def origin(uri: str) -> str:
    """A configured origin, ready to have a call's path behind it."""
    if "?" in uri or "#" in uri:
        raise ValueError("an origin has no query and no fragment")
    return normal(uri).removesuffix("/")


def of_call(origin_uri: str, path: str) -> str:
    """The target of a call of `path`, as received; a ValueError if that is not plain."""
    segments = path.split("/")
    plain = all(letter == "/" or _PCHAR.fullmatch(letter) for letter in path)
    if not path.startswith("/") or not plain or "." in segments or ".." in segments:
        raise ValueError("the path is not plain")
    return origin_uri + path


def _authority(authority: str, default_port: str) -> str:
    if "@" in authority:
        raise ValueError("user information")
    if authority.startswith("["):
        literal, bracket, after = authority[1:].partition("]")
        if not bracket or after and not after.startswith(":") or "%" in literal:
            raise ValueError("not an address")
        host, port = f"[{ipaddress.IPv6Address(literal)}]", after[1:]
    else:
        name, _, port = authority.partition(":")
        host = _name(name)
    if port in ("", default_port):
        return host
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise ValueError("not a port")
    return f"{host}:{port}"


def _name(name: str) -> str:
    decoded = "".join(_decoded(name))
    if not decoded or not all(_UNRESERVED.fullmatch(c) or c in _SUB_DELIMS for c in decoded):
        raise ValueError("not a host")
    return decoded.lower()


def _path(path: str) -> str:
    text = "".join(_decoded(path))
    if not all(letter in "/%" or _PCHAR.fullmatch(letter) for letter in text):
        raise ValueError("a character that no path has")
    kept: list[str] = []
    segments = text.split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept[-1:] = []
        elif segment != ".":
            kept.append(segment)
    if not kept or segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _decoded(text: str):
    """Encodings of unreserved characters decoded, others in upper case."""
    at = 0
    while at < len(text):
        if text[at] != "%":
            yield text[at]
            at += 1
            continue
        digits = text[at + 1 : at + 3]
        if not re.fullmatch(r"[0-9A-Fa-f]{2}", digits):
            raise ValueError("half of a percent-encoding")
        letter = chr(int(digits, 16))
        yield letter if _UNRESERVED.fullmatch(letter) else "%" + digits.upper()
        at += 3
