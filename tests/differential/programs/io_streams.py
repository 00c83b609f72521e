import io
s = io.StringIO("line1\nline2\r\nline3"); print(s.readline(), s.read(3), s.tell(), s.readlines(), s.seek(0), list(s))
b = io.BytesIO(b"abcdef"); print(b.read(2), b.seek(-2, 2), b.read(), b.getvalue(), b.truncate(3), b.getbuffer().nbytes, b.readable(), b.closed)
t = io.TextIOWrapper(io.BytesIO("é\r\nb".encode()), encoding="utf-8", newline=None); print(t.readlines(), t.encoding); w = io.TextIOWrapper(raw := io.BytesIO(), "utf-8", newline="\r\n"); w.write("a\nb"); w.flush(); print(raw.getvalue())
r = io.BufferedReader(io.BytesIO(b"0123456789"), 4); print(r.peek(2)[:2], r.read(3), r.read1(2), r.readline()); rw = io.BufferedRandom(io.BytesIO(b"abc")); rw.write(b"X"); rw.seek(0); print(rw.read())
class Up(io.RawIOBase):
    def __init__(self): self.d = [b"ab", b"c", b""]
    def readable(self): return True
    def readinto(self, buf): x = self.d.pop(0); buf[:len(x)] = x; return len(x)
print(io.BufferedReader(Up()).read(), issubclass(io.StringIO, io.TextIOBase), io.DEFAULT_BUFFER_SIZE >= 8192)
s.close()
try: s.read()
except ValueError as e: print(e)
print("a", "b", sep="", end="!\n", file=(o := io.StringIO())); print(repr(o.getvalue()))
