from __future__ import annotations
import dataclasses, typing
@dataclasses.dataclass
class Node:
    value: int
    next: Node | None = None
    kids: typing.ClassVar[list[Undefined]] = []
n = Node(1, Node(2)); print(n, Node.__annotations__["next"], [f.name for f in dataclasses.fields(Node)]); globals()["Undefined"] = int; print(typing.get_type_hints(Node)["next"] == typing.Optional[Node])
def f(x: NotThere) -> AlsoNot: return x
print(f(1), f.__annotations__)
