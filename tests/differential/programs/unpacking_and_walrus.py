def f(): return 1, *[2, 3], 4
a, *b, c = f(); print(a, b, c); print(*[1, 2], *"ab", sep="-"); (x, y), z = (1, 2), 3; print(x + y + z); [p, [q]] = 1, [2]; print(p, q)
if (n := len("abc")) > 2: print(n)
while (line := next(it)) != "end" if (it := iter(["a", "b", "end"])) else False: print(line); break
for i, (k, v) in enumerate({"a": 1}.items()): print(i, k, v)
try: a, b = 1, 2, 3
except ValueError as e: print(str(e)[:35])
try: a, b = [1]
except ValueError as e: print(e)
x = y = []; x.append(1); print(y is x); a = b, c = 1, 2; print(a, b, c); i = 0; l = [0, 0]; i, l[i] = 1, 5; print(i, l); d = {}; d["k"], *d["r"] = 1, 2, 3; print(d)
