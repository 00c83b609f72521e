rows = [{"name": "a", "n": 1}, {"name": "bbb", "n": 22}]
cols = list(rows[0]); widths = {c: max(len(c), *(len(str(r[c])) for r in rows)) for c in cols}
print("| " + " | ".join(c.ljust(widths[c]) for c in cols) + " |"); print("|" + "|".join("-" * (widths[c] + 2) for c in cols) + "|")
for r in rows: print("| " + " | ".join(str(r[c]).ljust(widths[c]) for c in cols) + " |")
