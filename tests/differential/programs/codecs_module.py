import codecs, io
print(codecs.encode("hello", "rot13"), codecs.decode("68656c6c6f", "hex"), codecs.lookup("utf8").name, codecs.BOM_UTF8, codecs.encode(b"a", "base64"), codecs.escape_decode(rb"a\n")[0])
d = codecs.getincrementaldecoder("utf-8")(); print(repr(d.decode(b"\xc3")), d.decode(b"\xa9"))
codecs.register_error("star", lambda e: ("*" * (e.end - e.start), e.end)); print("aéb".encode("ascii", "star"), "é".encode("ascii", "namereplace"), "é".encode("ascii", "backslashreplace"))
for name in ("cp1252", "latin-1", "utf-16-be", "utf-7", "cp437", "shift_jis", "gb18030", "koi8-r", "euc_kr", "big5", "iso8859-15", "punycode", "idna", "unicode_escape", "raw_unicode_escape", "utf-8-sig", "cp1251", "mac_roman", "utf-32"):
    text = {"shift_jis": "日本", "gb18030": "中文", "koi8-r": "да", "cp1251": "да", "euc_kr": "한글", "big5": "中文"}.get(name, "bücher")
    e = text.encode(name); print(name, e, e.decode(name) == text)
w = codecs.getwriter("utf-16-le")(b := io.BytesIO()); w.write("ab"); print(b.getvalue()); print(list(codecs.iterdecode([b"a", b"b"], "ascii")))
try: "x".encode("nope")
except LookupError as e: print(e)
