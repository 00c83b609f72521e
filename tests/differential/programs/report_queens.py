def queens(n, row=0, cols=(), out=None):
    out = [] if out is None else out
    if row == n: out.append(cols)
    else:
        for c in range(n):
            if all(c != k and abs(c - k) != row - r for r, k in enumerate(cols)): queens(n, row + 1, cols + (c,), out)
    return out
s = queens(6); print(len(s), s[0]); [print("".join("Q" if c == k else "." for c in range(6))) for k in s[0]]
