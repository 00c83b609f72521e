b = b"Hello\x00\xff"
print(b, b[0], b[1:3], b.hex(), b.find(b"l"), b.replace(b"l", b"L"), bytes([1, 2]), bytes(3), b"a,b".split(b","), b"%d %s" % (5, b"x"), b"abc".translate(None, b"b"), b"Ab".lower().isalpha())
a = bytearray(b"abc"); a[0] = 88; a += b"d"; a.insert(1, 0); del a[-1]; a[1:2] = b"zz"; print(a, a.pop(), a.decode(), bytes(a))
m = memoryview(bytearray(b"abcdef")); m[1:3] = b"XY"; print(bytes(m), m[::2].tolist(), m.nbytes, m.cast("B").format, m.readonly, memoryview(b"ab") == b"ab")
for f in (lambda: b"a" + "b", lambda: bytes([256]), lambda: bytes("a"), lambda: b"\xff".decode(), lambda: "é".encode("ascii")):
    try: f()
    except Exception as e: print(type(e).__name__)
print("é€😀".encode(), "é€😀".encode("utf-16-le"), b"\xc3\xa9".decode(), b"\xff\xfea\x00".decode("utf-16"), "é".encode("latin-1"), b"\xff".decode("utf-8", "replace"), "é".encode("ascii", "xmlcharrefreplace"), b"x".ljust(3, b"."), b"a b".title())
