import dataclasses, json, datetime, enum, typing
class Kind(enum.Enum): A = "a"; B = "b"
@dataclasses.dataclass
class Line: name: str; price: float
@dataclasses.dataclass
class Order:
    id: int; at: datetime.datetime; kind: Kind; lines: list[Line] = dataclasses.field(default_factory=list); note: typing.Optional[str] = None
def enc(o):
    if isinstance(o, datetime.datetime): return o.isoformat()
    if isinstance(o, enum.Enum): return o.value
    raise TypeError(type(o))
o = Order(1, datetime.datetime(2024, 1, 2, 3), Kind.B, [Line("x", 1.5)]); text = json.dumps(dataclasses.asdict(o), default=enc); print(text)
d = json.loads(text); back = Order(d["id"], datetime.datetime.fromisoformat(d["at"]), Kind(d["kind"]), [Line(**l) for l in d["lines"]], d["note"]); print(back == o, back)
