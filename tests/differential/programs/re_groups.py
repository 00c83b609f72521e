import re
m = re.search(r"(?P<year>\d{4})-(?P<month>\d\d)", "on 2024-03-05")
print(m.groupdict(), m.span(), m.group(0, 1, 2), m["year"], m.start("month"))
print(re.findall(r"(\w)(\d)", "a1 b2 c3"), re.split(r"(,)\s*", "a, b,c"))
print([x.group() for x in re.finditer(r"\b\w{3}\b", "the cat sat on mat")])
print(re.fullmatch(r"a+", "aaa") is not None, re.match(r"b", "ab"))
