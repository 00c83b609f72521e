import sqlite3
c = sqlite3.connect(":memory:")
c.row_factory = sqlite3.Row
c.executescript("create table p(id integer primary key, name text, price real); insert into p(name, price) values ('a', 1.5), ('b', 2.5), ('a', 3.0);")
print([tuple(r) for r in c.execute("select name, sum(price), count(*) from p group by name order by name")], c.execute("select * from p").fetchone()["name"])
c.executemany("insert into p(name, price) values (?, ?)", [("c", 9), ("d", None)])
print(c.execute("select count(*) from p").fetchone()[0], c.total_changes, c.execute("select name from p where price is null").fetchall()[0][0])
c.create_function("twice", 1, lambda x: x * 2); print(c.execute("select twice(:n)", {"n": 21}).fetchone()[0])
try:
    with c:
        c.execute("insert into p(id) values (1)")
except sqlite3.IntegrityError as e: print(e)
print(c.execute("select json_extract('{\"a\": [1, 2]}', '$.a[1]'), upper('x'), date('2024-01-31', '+1 month')").fetchone()[:])
print(c.execute("with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select group_concat(i) from n").fetchone()[0], list(c.iterdump())[0])
