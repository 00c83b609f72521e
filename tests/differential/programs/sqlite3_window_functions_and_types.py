import sqlite3, datetime
c = sqlite3.connect(":memory:")
c.execute("create table s(day text, v int)")
c.executemany("insert into s values (?, ?)", [("a", 1), ("b", 2), ("c", 3)])
print(c.execute("select day, sum(v) over (order by day), rank() over (order by v desc) from s").fetchall())
print(c.execute("select typeof(1), typeof(1.5), typeof('x'), typeof(null), typeof(x'00'), ?", (b"\x01",)).fetchone())
class Total:
    def __init__(self): self.t = 0
    def step(self, v): self.t += v
    def finalize(self): return self.t
c.create_aggregate("total_of", 1, Total); print(c.execute("select total_of(v) from s").fetchone())
c.execute("pragma foreign_keys = on"); c.execute("begin") if not c.in_transaction else None
c.execute("delete from s"); c.rollback(); print(c.execute("select count(*) from s").fetchone())
try: c.execute("selec")
except sqlite3.OperationalError as e: print(e)
