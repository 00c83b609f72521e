x = "outer"
print([x for x in range(3)], x, {k: v for k, v in zip("ab", (1, 2))}, {c for c in "aab"} == {"a", "b"}, [[j * i for j in range(3)] for i in range(2)], [a for a in range(10) if a % 2 if a > 3])
fs = [lambda: i for i in range(3)]; print([f() for f in fs]); gs = [lambda i=i: i for i in range(3)]; print([g() for g in gs])
print([y := 5, y * 2], y, (z for z in "ab").__class__.__name__, any(n > 3 for n in range(5)), [(a, b) for a in range(2) for b in "xy"])
class C: vals = [1, 2]; total = sum(vals); doubled = [v * 2 for v in vals]
print(C.total, C.doubled); g = (print("lazy", n) or n for n in range(2)); print("before"); print(list(g))
def f():
    n = 0
    def inc(): nonlocal n; n += 1; return n
    return inc
c = f(); c(); print(c(), c.__closure__[0].cell_contents)
cnt = 0
def glob():
    global cnt; cnt += 1
glob(); print(cnt, [*range(2), *"ab"], {**{"a": 1}, "b": 2}, (*[1], 2))
