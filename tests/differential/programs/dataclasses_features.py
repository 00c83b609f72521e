from dataclasses import *
@dataclass(order=True)
class P:
    x: int
    y: int = 0
    tags: list = field(default_factory=list, compare=False, repr=False)
    def __post_init__(self): self.sum = self.x + self.y
print(P(1, 2), P(1) < P(2), P(1) == P(1, 0, ["a"]), asdict(P(1, 2, ["t"])), astuple(P(3)), replace(P(1), y=9), P(1, 2).sum)
@dataclass(frozen=True, slots=True, kw_only=True)
class F:
    a: int
    b: str = "x"
f = F(a=1)
print(f, hash(f) == hash(F(a=1)), [x.name for x in fields(F)], hasattr(f, "__dict__"))
try:
    f.a = 2
except FrozenInstanceError as e:
    print(e)
@dataclass
class Child(P):
    z: int = InitVar[int]
print([x.name for x in fields(Child)], is_dataclass(P), make_dataclass("D", [("q", int)])(4))
