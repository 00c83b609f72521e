import io, tarfile
b = io.BytesIO()
with tarfile.open(fileobj=b, mode="w:gz") as t:
    for name, data in (("a.txt", b"hello"), ("d/b.bin", b"\x00" * 10)):
        i = tarfile.TarInfo(name); i.size = len(data); i.mtime = 1
        t.addfile(i, io.BytesIO(data))
b.seek(0)
with tarfile.open(fileobj=b) as t:
    for m in t: print(m.name, m.size, m.isfile(), m.mtime)
    print(t.extractfile("a.txt").read(), t.getnames())
