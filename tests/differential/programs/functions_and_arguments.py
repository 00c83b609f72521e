def f(a, b=2, /, c=3, *args, d, e=5, **kw): return a, b, c, args, d, e, kw
print(f(1, d=4), f(1, 2, 3, 4, 5, d=6, z=7), f.__defaults__, f.__kwdefaults__, f.__code__.co_varnames[:5])
for call in ("f()", "f(1)", "f(1, a=2, d=1)", "f(1, d=1, d=2)", "(lambda x: x)(1, 2)"):
    try: print(eval(call))
    except (TypeError, SyntaxError) as e: print(call, type(e).__name__)
def acc(x, l=[]): l.append(x); return l
acc(1); print(acc(2), (lambda *a, **k: (a, k))(*[1], **{"q": 2}), max(*[3, 1]), (lambda x, y=1: x + y)(2))
def deco(n):
    def w(fn):
        def inner(*a): return fn(*a) * n
        inner.__name__ = fn.__name__; return inner
    return w
@deco(3)
def g(x): "doc"; return x
print(g(2), g.__name__, callable(g), f.__qualname__, g.__module__)
def fact(n): return 1 if n < 2 else n * fact(n - 1)
print(fact(30), list(map(lambda a, b: a + b, [1, 2], [3, 4])), list(filter(None, [0, 1, "", "a"])), sorted("bca", reverse=True), list(zip("ab", [1, 2], strict=True)))
a, (b, *c), d = 1, (2, 3, 4), 5; print(a, b, c, d); a, b = b, a; print(a, b); first, *_ = "xyz"; print(first)
