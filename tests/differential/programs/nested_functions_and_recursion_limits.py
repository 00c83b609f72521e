def depth(n): return 0 if n == 0 else 1 + depth(n - 1)
print(depth(400)); import functools
Y = lambda f: (lambda x: x(x))(lambda x: f(lambda *a: x(x)(*a))); print(Y(lambda f: lambda n: 1 if n == 0 else n * f(n - 1))(10))
def even(n): return True if n == 0 else odd(n - 1)
def odd(n): return False if n == 0 else even(n - 1)
print(even(100)); compose = lambda *fs: functools.reduce(lambda f, g: lambda x: f(g(x)), fs); print(compose(str, abs, int)("-5"))
def hanoi(n, a="A", b="B", c="C"): return [] if n == 0 else hanoi(n - 1, a, c, b) + [(a, c)] + hanoi(n - 1, b, a, c)
print(len(hanoi(8)), hanoi(2))
