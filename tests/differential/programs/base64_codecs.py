import base64
data = bytes(range(0, 256, 17))
for f in ("b64", "urlsafe_b64", "b32", "b16", "a85", "b85"):
    e = getattr(base64, f + "encode")(data)
    print(f, e, getattr(base64, f + "decode")(e) == data)
try:
    base64.b64decode("abc")
except Exception as e:
    print(type(e).__name__)
print(base64.b64decode("YQ==\n"), base64.encodebytes(b"x" * 60))
