class Meta(type):
    registry = []
    def __new__(m, name, bases, ns, **kw):
        ns["added"] = kw.get("add", 0); c = super().__new__(m, name, bases, ns); m.registry.append(name); return c
    def __init__(cls, name, bases, ns, **kw): super().__init__(name, bases, ns)
    def __call__(cls, *a): o = super().__call__(*a); o.made = True; return o
    @classmethod
    def __prepare__(m, name, bases, **kw): return {"prepared": name}
    def __instancecheck__(cls, o): return hasattr(o, "quack")
class A(metaclass=Meta, add=3): pass
class B(A): pass
print(Meta.registry, A.added, A().made, B.prepared, type(B).__name__, isinstance(5, A), type("Dyn", (A,), {"x": 1}).x)
class Singleton(type):
    _i = {}
    def __call__(cls, *a): return cls._i.setdefault(cls, super().__call__(*a))
class S(metaclass=Singleton): pass
print(S() is S())
