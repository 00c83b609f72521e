import unicodedata
words = ["banana", "Apple", "cherry", "éclair", "apple", "Zebra", "10", "9", "a1", "ä"]
print(sorted(words), sorted(words, key=str.lower), sorted(words, key=lambda w: (len(w), w)), sorted(words, key=lambda w: unicodedata.normalize("NFD", w).casefold()), max(words, key=len), min(words))
print(sorted([(2, "b"), (1, "z"), (2, "a")]), sorted("Hello World", key=str.swapcase), sorted([True, 0, 2.5, -1]), list(reversed(sorted(range(3), reverse=True))), sorted({"b": 1, "a": 2}.items(), key=lambda i: i[1]))
rows = [{"n": "x", "v": 2}, {"n": "y", "v": 1}, {"n": "z", "v": 2}]; print([r["n"] for r in sorted(rows, key=lambda r: r["v"], reverse=True)])
