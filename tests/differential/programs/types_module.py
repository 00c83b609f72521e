import types
ns = types.SimpleNamespace(a=1); ns.b = 2; print(ns, ns == types.SimpleNamespace(a=1, b=2), types.MappingProxyType({"a": 1})["a"], types.new_class("N", (), {}, lambda d: d.update(x=3)).x, isinstance(len, types.BuiltinFunctionType), isinstance(lambda: 0, types.FunctionType))
m = types.ModuleType("mod", "doc"); exec("v = 7", m.__dict__); print(m.v, m.__name__, types.MethodType(lambda s: s, 5)(), types.CodeType.__name__, (lambda: 0).__code__.co_argcount, list[int].__origin__, type(int | str).__name__ in ("UnionType", "Union"), isinstance(1, int | str))
try: types.MappingProxyType({})["a"] = 1
except TypeError as e: print("read-only")
def f(x): return x + y
g = types.FunctionType(f.__code__, {"y": 10}); print(g(5)); print(types.DynamicClassAttribute.__name__, types.coroutine.__name__)
