#!/usr/bin/env python3
"""A program that has the key-encryption key, for store.key_command. FOR DEMONSTRATION ONLY.

It shows what the token service says and wants to hear; docs/keys-at-rest.md has the
rules. A real one asks a key service or a hardware module, and the key never leaves that.
This one keeps its key in the file that its argument names, and makes it if need be.

    [store]
    key_command = ["/usr/local/bin/key-program-example.py", "/etc/countersign/demo.key"]

One line in, one line out: `wrap LABEL KEY` or `unwrap LABEL WRAPPED`, answered by
`ok BYTES` or `error TEXT`. Everything but the text is base64url without padding.
"""

import base64
import hashlib
import hmac
import os
import sys


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key_of(path):
    """The key in the file, made at first, readable by its owner alone."""
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as file:
            file.write(os.urandom(32))
    except FileExistsError:
        pass
    with open(path, "rb") as file:
        return file.read()


def derived(key, purpose, *parts):
    text = b"\0".join([purpose, *parts])
    return hmac.new(key, text, hashlib.sha256).digest()


def mask(key, label, nonce, data):
    """Encrypts and decrypts: what a key service would do with AES-GCM."""
    stream = derived(key, b"stream", nonce, label)
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))


def wrap(key, label, data):
    nonce = os.urandom(16)
    hidden = mask(key, label, nonce, data)
    return nonce + hidden + derived(key, b"tag", nonce, hidden, label)


def unwrap(key, label, wrapped):
    nonce, hidden, tag = wrapped[:16], wrapped[16:48], wrapped[48:]
    # The label is under the tag: one key's record cannot pass for another's.
    if not hmac.compare_digest(tag, derived(key, b"tag", nonce, hidden, label)):
        raise ValueError("this was not wrapped with this key for this label")
    return mask(key, label, nonce, hidden)


def main():
    try:
        verb, label, data = sys.stdin.readline().split()
        do = {"wrap": wrap, "unwrap": unwrap}[verb]
        answer = do(key_of(sys.argv[1]), decode(label), decode(data))
    except (ValueError, KeyError, IndexError, OSError) as problem:
        # Never the line: it may hold a key.
        print("error", str(problem) or "not understood")
        return
    print("ok", encode(answer))


if __name__ == "__main__":
    main()
