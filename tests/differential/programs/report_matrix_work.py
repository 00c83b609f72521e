A = [[2, 1], [1, 3]]; B = [[1, 0], [4, 2]]
mul = lambda X, Y: [[sum(a * b for a, b in zip(r, c)) for c in zip(*Y)] for r in X]
print(mul(A, B), [list(r) for r in zip(*A)], sum(A[i][i] for i in range(2)), A[0][0] * A[1][1] - A[0][1] * A[1][0])
from fractions import Fraction
det = Fraction(5); print([[str(Fraction(x) / det) for x in row] for row in ([3, -1], [-1, 2])])
