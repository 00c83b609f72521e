from dataclasses import dataclass
@dataclass
class Pt: x: int; y: int
def m(v):
    match v:
        case 0 | 1: return "small"
        case int(n) if n > 100: return f"big {n}"
        case int(): return "int"
        case "a" | "b" as s: return f"letter {s}"
        case []: return "empty"
        case [x]: return f"one {x}"
        case [first, *rest, last]: return f"{first}..{last} ({len(rest)})"
        case {"k": k, **rest}: return f"k={k} {rest}"
        case Pt(0, y): return f"on y at {y}"
        case Pt(x=x, y=y): return f"pt {x} {y}"
        case float() | complex(): return "float"
        case None: return "none"
        case _: return "other"
for v in (0, 5, 500, "a", "z", [], [1], [1, 2, 3], (1, 2), {"k": 1, "z": 2}, {"q": 1}, Pt(0, 3), Pt(1, 2), 1.5, None, object):
    print(m(v))
