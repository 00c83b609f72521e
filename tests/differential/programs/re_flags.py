import re
text = "one\nTwo\nthree"
print(re.findall(r"^t\w+", text, re.M | re.I), re.findall("o.e", text, re.S))
p = re.compile(r"""
    (\d+)  # number
    \s*
    ([a-z]+)  # unit
""", re.VERBOSE)
print(p.match("10 kg").groups(), p.groups, p.pattern.count("\n"))
print(re.findall(r"[^\W\d_]+", "ab1 çé_x"), bool(re.compile("a", re.A).flags & re.ASCII))
