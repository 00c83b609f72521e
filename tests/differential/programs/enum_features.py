import enum
class Color(enum.Enum):
    RED = 1
    GREEN = 2
    CRIMSON = 1
    @property
    def pretty(self): return self.name.title()
print(Color.RED, repr(Color.GREEN), Color(2), Color["RED"].pretty, Color.CRIMSON is Color.RED, list(Color), list(Color.__members__))
class Perm(enum.Flag):
    R = enum.auto(); W = enum.auto(); X = enum.auto()
p = Perm.R | Perm.W
print(p, Perm.R in p, p & Perm.W, ~p, bool(Perm(0)), p.value)
class Size(enum.IntEnum):
    S = 1; L = 3
print(Size.S < Size.L, Size.L + 1, f"{Size.S}", enum.unique(Size) is Size)
class T(enum.StrEnum):
    A = enum.auto(); B = "bee"
print(T.A, T.B == "bee", T.A.upper())
try:
    Color(9)
except ValueError as e:
    print(e)
