import gzip, io
b = io.BytesIO()
with gzip.GzipFile(fileobj=b, mode="wb", mtime=0, filename="") as f:
    f.write(b"line 1\nline 2\n")
print(gzip.decompress(b.getvalue()))
b.seek(0)
with gzip.open(b, "rt") as f:
    print([line for line in f])
print(gzip.decompress(gzip.compress(b"x" * 1000, mtime=0)) == b"x" * 1000)
try:
    gzip.decompress(b"not gzip")
except gzip.BadGzipFile as e:
    print(type(e).__name__)
