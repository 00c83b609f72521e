import hmac, hashlib
print(hmac.new(b"key", b"msg", "sha256").hexdigest(), hmac.digest(b"k", b"m", "sha1").hex())
print(hmac.compare_digest(b"a", b"a"), hmac.compare_digest("a", "b"))
h = hmac.new(b"key", digestmod=hashlib.md5); h.update(b"x"); print(h.hexdigest(), h.name)
