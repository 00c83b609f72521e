import zlib
data = b"the same text again and again " * 50
c = zlib.compress(data, 9)
print(len(c) < 100, zlib.decompress(c) == data, zlib.crc32(data), zlib.adler32(data))
d = zlib.decompressobj(); print((d.decompress(c[:20]) + d.decompress(c[20:]) + d.flush()) == data, d.eof)
try:
    zlib.decompress(b"garbage")
except zlib.error as e:
    print(type(e).__name__)
raw = zlib.compressobj(wbits=-15); r = raw.compress(b"abc") + raw.flush(); print(zlib.decompress(r, -15))
