def read(): yield from ["1,a", "x,b", "3,c", ""]
def parse(lines):
    for l in lines:
        if l: yield l.split(",")
def valid(rows):
    for n, s in rows:
        try: yield int(n), s
        except ValueError: print("skipped", n)
print(dict(valid(parse(read()))))
