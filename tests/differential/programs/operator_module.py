import operator as o
print(o.itemgetter(1, 0)("ab"), o.attrgetter("real")(3), o.methodcaller("upper")("a"), o.add(1, 2), o.contains([1], 1), o.countOf("aab", "a"))
print(sorted([{"a": 2}, {"a": 1}], key=o.itemgetter("a")), o.concat("a", "b"), o.truth([]), o.index(5), o.matmul.__name__, o.length_hint(iter([1, 2])))
