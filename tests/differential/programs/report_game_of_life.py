cells = {(1, 0), (1, 1), (1, 2)}
from collections import Counter
for _ in range(3):
    n = Counter((x + i, y + j) for x, y in cells for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
    cells = {c for c, k in n.items() if k == 3 or k == 2 and c in cells}; print(sorted(cells))
