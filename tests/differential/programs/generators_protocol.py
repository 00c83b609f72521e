def g():
    try:
        x = yield 1
        print("sent", x)
        y = yield 2
        print("then", y)
    except ValueError as e: print("thrown", e); yield 99
    finally: print("cleanup")
i = g(); print(next(i), i.send("a"), i.throw(ValueError("v"))); i.close()
def inner(): r = yield 1; return r
def outer(): r = yield from inner(); print("inner gave", r); yield "end"
o = outer(); next(o); print(o.send(42))
def fib():
    a, b = 0, 1
    while True: yield a; a, b = b, a + b
import itertools
print(list(itertools.islice(fib(), 10)), sum(x * x for x in range(5)), next(iter([]), "default"))
def ret(): return 5; yield
try: next(ret())
except StopIteration as e: print(e.value)
def bad(): raise StopIteration; yield
try: list(bad())
except RuntimeError as e: print(e)
