from itertools import *
print([(k, list(g)) for k, g in groupby("aaabbc")], list(islice(count(5, 2), 3)), list(islice(cycle("ab"), 5)))
print(list(takewhile(lambda x: x < 3, [1, 2, 3, 1])), list(dropwhile(lambda x: x < 3, [1, 2, 3, 1])), list(filterfalse(bool, [0, 1, ""])))
a, b = tee(iter([1, 2, 3]))
print(list(a), list(b), list(repeat("x", 3)), list(islice("abcdefg", 1, None, 2)))
words = sorted(["apple", "bob", "cat", "dove"], key=len)
print({k: list(g) for k, g in groupby(words, key=len)})
