def f():
    try: return "try"
    finally: print("finally")
print(f())
try:
    try: int("x")
    except ValueError as e: raise RuntimeError("second") from e
except RuntimeError as e: print(repr(e.__cause__), e.__context__ is e.__cause__)
try:
    try: {}["k"]
    except KeyError: raise TypeError("t")
except TypeError as e: print(repr(e.__context__), e.__cause__)
try: raise ValueError("a", 1) from None
except ValueError as e: print(e.args, e.__suppress_context__); e.add_note("n"); print(e.__notes__)
for x in (1, 0):
    try: r = 1 / x
    except ZeroDivisionError: print("zero")
    else: print("ok", r)
    finally: print("end")
class E(Exception):
    def __init__(self, code): super().__init__(f"code {code}"); self.code = code
try: raise E(5)
except (KeyError, E) as e: print(e, e.code, isinstance(e, Exception))
try: e
except NameError as n: print("unbound")
def loop():
    for i in range(3):
        try: continue
        finally: print("f", i)
loop()
