import contextlib, io
@contextlib.contextmanager
def tag(name):
    print(f"<{name}>")
    try:
        yield name
    except ValueError as e:
        print("caught", e)
    finally:
        print(f"</{name}>")
with tag("a") as a, tag("b"):
    print(a)
    raise ValueError("x")
with contextlib.suppress(KeyError):
    {}["x"]
with contextlib.ExitStack() as s:
    s.callback(print, "last")
    s.enter_context(tag("c"))
    s.push(lambda *exc: print("exit", exc[0]) or True)
    raise RuntimeError
with contextlib.redirect_stdout(io.StringIO()) as out:
    print("captured")
print(repr(out.getvalue()))
class R:
    def close(self): print("closed")
with contextlib.closing(R()), contextlib.nullcontext(5) as n:
    print(n)
@tag("deco")
def f(): print("in f")
f()
