from itertools import groupby
e = [(k, len(list(g))) for k, g in groupby("aaabbc")]; print(e, "".join(k * n for k, n in e))
shift = lambda s, n: "".join(chr((ord(c) - b + n) % 26 + b) if c.isalpha() and (b := ord("A" if c.isupper() else "a")) else c for c in s)
print(shift("Hello, World!", 3), shift(shift("Hello", 3), -3))
