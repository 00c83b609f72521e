d = dict(a=1, b=2); v = d.keys(); d["c"] = 3; print(v, v & {"a", "z"}, d.items() - {("a", 1)} == {("b", 2), ("c", 3)}, list(d.values()), d.keys() >= {"a"})
b = bytearray(10); m = memoryview(b)
try: b.extend(b"x")
except BufferError as e: print("exported"); m.release(); b.extend(b"x"); print(len(b))
