rows = [("a", "x", 1), ("b", "x", 2), ("a", "y", 3), ("a", "x", 4)]
t = {}
for r, c, v in rows: t.setdefault(r, {}).setdefault(c, []).append(v)
cols = sorted({c for _, c, _ in rows}); print("  " + " ".join(f"{c:>4}" for c in cols))
for r in sorted(t): print(r, " ".join(f"{sum(t[r].get(c, [])):>4}" for c in cols))
