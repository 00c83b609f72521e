import inspect
def f(a, /, b: int, *args, c=1, **kw) -> str:
    "doc of f"
s = inspect.signature(f)
print(s, [p.kind.name for p in s.parameters.values()], s.bind(1, 2, 3, d=4).arguments, inspect.getdoc(f), s.return_annotation)
class C:
    x = 1
    def m(self): ...
    @classmethod
    def k(cls): ...
print([n for n, _ in inspect.getmembers(C, inspect.isfunction)], inspect.isclass(C), inspect.ismethod(C.k), inspect.isgeneratorfunction(lambda: (yield)), inspect.getmro(C)[-1])
try: s.bind()
except TypeError as e: print(e)
def outer():
    return inspect.currentframe().f_code.co_name, inspect.stack()[0].function
print(outer(), inspect.cleandoc("  a\n    b\n  "), inspect.iscoroutinefunction(f), inspect.unwrap(f) is f)
