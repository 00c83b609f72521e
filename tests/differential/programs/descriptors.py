class Typed:
    def __init__(self, t): self.t = t
    def __set_name__(self, owner, name): self.name = name; print("named", name)
    def __get__(self, obj, owner=None): return self if obj is None else obj.__dict__.get(self.name, "unset")
    def __set__(self, obj, v):
        if not isinstance(v, self.t): raise TypeError(f"{self.name} must be {self.t.__name__}")
        obj.__dict__[self.name] = v
class P:
    age = Typed(int)
p = P(); print(p.age); p.age = 3; print(p.age, type(P.age).__name__)
try: p.age = "x"
except TypeError as e: print(e)
class NonData:
    def __get__(self, o, t): return "from descriptor"
class Q: x = NonData()
q = Q(); print(q.x); q.x = "instance"; print(q.x)
print(P.__dict__["age"].__class__.__name__, hasattr(P.age, "__set__"))
