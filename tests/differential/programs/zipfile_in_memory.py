import io, zipfile
b = io.BytesIO()
with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("a.txt", "hello " * 20)
    z.writestr("d/b.txt", b"\x00\x01")
    z.comment = b"note"
with zipfile.ZipFile(b) as z:
    print(z.namelist(), z.read("d/b.txt"), z.testzip(), z.comment, z.getinfo("a.txt").file_size, z.getinfo("a.txt").compress_size < 60)
    with z.open("a.txt") as f: print(f.read(5))
    print(sorted(p.name for p in zipfile.Path(z).iterdir()), zipfile.Path(z, "d/b.txt").exists())
try:
    zipfile.ZipFile(io.BytesIO(b"x"))
except zipfile.BadZipFile as e:
    print(e)
