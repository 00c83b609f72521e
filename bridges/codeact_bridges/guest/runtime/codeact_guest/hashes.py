"""The part of `hashlib` that needs OpenSSL, which the guest was built without."""

import hashlib
import hmac


def pbkdf2_hmac(hash_name: str, password: bytes, salt: bytes, iterations: int, dklen: int | None = None) -> bytes:
    """`hashlib.pbkdf2_hmac` (RFC 8018), about a hundred times slower than OpenSSL's."""
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    if dklen is not None and dklen < 1:
        raise ValueError("key length must be greater than 0.")
    keyed = hmac.new(password, digestmod=hash_name)

    def digest(message: bytes) -> bytes:
        each = keyed.copy()
        each.update(message)
        return each.digest()

    length = keyed.digest_size if dklen is None else dklen
    key = b""
    while len(key) < length:
        block = digest(salt + (len(key) // keyed.digest_size + 1).to_bytes(4, "big"))
        mixed = int.from_bytes(block, "big")
        for _ in range(iterations - 1):
            block = digest(block)
            mixed ^= int.from_bytes(block, "big")
        key += mixed.to_bytes(keyed.digest_size, "big")
    return key[:length]


def install() -> None:
    """Add the missing functions."""
    if not hasattr(hashlib, "pbkdf2_hmac"):
        hashlib.pbkdf2_hmac = pbkdf2_hmac
