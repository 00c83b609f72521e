l = [3, 1, 2]; l.sort(key=lambda v: -v); l[1:1] = [9, 8]; print(l, l[::-1], l[-2:], l.index(8), l * 2, [1, 2] < [1, 3], sorted(l)); del l[::2]; print(l)
d = {"b": 1, "a": 2}; d |= {"c": 3}; print(d, list(d), d.pop("b"), d.setdefault("z", []), {**d}, d.get("q", 7), dict.fromkeys("ab", 0), list(reversed(d)), d | {"a": 9}, sorted(d.items(), key=str), {1: "a", True: "b"})
s = {1, 2, 3}; print(s & {2, 9}, s | {4}, s - {1}, s ^ {3, 4}, s <= {1, 2, 3}, s.isdisjoint({9}), frozenset([1]) in {frozenset([1])}, sorted(s.union([7])))
t = (1, [2]); t[1].append(3); print(t, t + (4,), t.count(1), (1,), (), tuple("ab"), hash((1, 2)) == hash((1, 2)), (1, 2) == [1, 2])
for f in (lambda: {}["x"], lambda: hash([]), lambda: t.__setitem__, lambda: d.popitem() and {}.popitem(), lambda: [].remove(1)):
    try: f(); print("ok")
    except (KeyError, TypeError, AttributeError, ValueError) as e: print(type(e).__name__)
it = iter({"a": 1}); dd = {1: 1}
try:
    for k in dd: dd[k + 1] = 1
except RuntimeError as e: print(e)
print(list(enumerate("ab", 1)), list(range(10, 0, -3)), range(5)[-1], 3 in range(0, 10, 3), len(range(0, 10**20, 10**19)), slice(1, 5, 2).indices(4), [0] * 3, [[0] * 2 for _ in range(2)], any([]), all([]))
