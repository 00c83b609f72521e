import datetime
n, x, name = 42, 3.14159, "bob"
print(f"{n:05d} {n:#x} {n:b} {n:,} {n:+} {n:e} {1234567.891:,.2f} {0.256:.1%} {x:.3g} {x:10.2f}|{x:<8.1f}|{name:^9}|{name!r}")
print(f"{n=} {n + 1 = } {name!s:>5} {'nested ' + f'{n}'} {{literal}} {datetime.date(2024, 1, 2):%d.%m}")
print(f"{n:{'>'}{8}}", f"{'a' if n else 'b'}", f"{[i for i in range(3)]}", f"{name[0]}{name[-1]}", f"{(lambda v: v * 2)(3)}")
print(f"{10**20:_}", f"{-5:=+6}", f"{3 + 4j:.1f}", f"{True:d}", f"{'é':*<3}", f"{1e100:g}", f"{float('inf')}", f"{None}")
