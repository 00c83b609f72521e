def human(n):
    for u in ("B", "kB", "MB", "GB"):
        if abs(n) < 1000 or u == "GB": return f"{n:.1f} {u}" if u != "B" else f"{n} B"
        n /= 1000
print([human(n) for n in (5, 1500, 2_345_678, 10**12)], f"{1 / 3:.2%}", f"{-1234.5:,.1f}", f"{1e-7:.1e}", round(99.995, 2), f"{0.5:.0%}")
import datetime; s = 93784; print(datetime.timedelta(seconds=s), divmod(s, 3600), "%02d:%02d:%02d" % (s // 3600, s % 3600 // 60, s % 60))
