class P:
    __slots__ = ("x", "y")
    def __new__(cls, *a): o = super().__new__(cls); print("new", a); return o
    def __init__(self, x, y=0): self.x, self.y = x, y
p = P(1); print(p.x, p.y, P.__slots__, hasattr(p, "__dict__"))
class Up(str):
    def __new__(cls, v): return super().__new__(cls, v.upper())
print(Up("abc"), type(Up("a") + "b").__name__, isinstance(Up("x"), str))
class Tup(tuple):
    @property
    def first(self): return self[0]
print(Tup([1, 2]).first, Tup((3,)) + (4,))
class M(dict):
    def __missing__(self, k): return k * 2
print(M()["ab"], M().get("ab"), "x" in M()); class_ = type("K", (), {"__call__": lambda s: "called"}); print(class_()())
