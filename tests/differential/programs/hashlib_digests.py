import hashlib
for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s"):
    h = hashlib.new(name, b"hello")
    h.update(b" world")
    print(name, h.hexdigest()[:32], h.digest_size, h.block_size)
print(hashlib.shake_128(b"x").hexdigest(8), hashlib.pbkdf2_hmac("sha256", b"pw", b"salt", 10).hex()[:32])
print(hashlib.blake2b(b"x", digest_size=8, key=b"k").hexdigest(), hashlib.sha256(b"").copy().hexdigest()[:8])
print({"sha256", "md5"} <= hashlib.algorithms_guaranteed)
