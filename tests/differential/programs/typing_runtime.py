from typing import *
import typing
T = TypeVar("T")
class Box(Generic[T]):
    def __init__(self, v: T) -> None: self.v = v
    def get(self) -> "Box[T]": return self
print(Box[int].__origin__ is Box, get_args(dict[str, list[int]]), get_origin(Union[int, str]) is Union, Optional[int] == Union[int, None])
def f(a: int, b: "list[str]" = None, *c: float) -> Optional[str]: ...
print(get_type_hints(f)["b"], get_type_hints(f)["return"] == Optional[str])
class TD(TypedDict, total=False):
    a: Required[int]
    b: str
print(TD.__required_keys__, TD(a=1), get_args(Literal["a", 1]))
class NT(NamedTuple):
    x: int
    y: str = "d"
print(NT(1), NT.__annotations__ == {"x": int, "y": str}, cast(int, "x"))
@runtime_checkable
class Closes(Protocol):
    def close(self): ...
import io
print(isinstance(io.StringIO(), Closes), isinstance(1, Closes), get_type_hints(Box.get)["return"])
