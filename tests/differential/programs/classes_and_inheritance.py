class A:
    count = 0
    def __init__(self): A.count += 1
    def who(self): return "A"
    @classmethod
    def make(cls): return cls()
    @staticmethod
    def s(x): return x + 1
class B(A):
    def who(self): return "B" + super().who()
class C(A):
    def who(self): return "C" + super().who()
class D(B, C): pass
print(D().who(), [k.__name__ for k in D.__mro__], D.make().__class__.__name__, A.s(1), A.count, isinstance(D(), C), D.__bases__[0].__name__)
class P:
    def __init__(self, r): self._r = r
    @property
    def r(self): return self._r
    @r.setter
    def r(self, v):
        if v < 0: raise ValueError("negative")
        self._r = v
    @r.deleter
    def r(self): print("deleted")
p = P(1); p.r = 5; print(p.r); del p.r
try: p.r = -1
except ValueError as e: print(e)
class S: __slots__ = ("a",)
try: S().b = 1
except AttributeError: print("no attribute")
class I:
    def __init_subclass__(cls, /, tag=None, **k): cls.tag = tag
class J(I, tag="t"): pass
print(J.tag)
