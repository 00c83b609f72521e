import string
print(string.ascii_lowercase, string.digits, string.punctuation, repr(string.whitespace))
t = string.Template("$who owes ${amount}$$")
print(t.substitute(who="A", amount=5), t.safe_substitute(who="B"))
try:
    t.substitute(who="x")
except KeyError as e:
    print(e)
print(string.capwords("hello  big world"), list(string.Formatter().parse("a{b!r:>3}c")))
print("{0.real:>5}|{1[k]!r:^8}|{x:{w}.{p}f}".format(3, {"k": "v"}, x=3.14159, w=8, p=2))
