import re
print(re.findall(r"(\w)\1", "aabbcdd"), re.findall(r"\d(?=%)", "5% 6 7%"))
print(re.match(r"(?P<q>['\"]).*?(?P=q)", "'it' \"x\"").group())
print(re.match(r"(a)?b(?(1)c|d)", "abc").group(), re.match(r"(a)?b(?(1)c|d)", "bd").group())
for bad in ["(", "[a", "*a", "(?P<1>a)", r"\1"]:
    try:
        re.compile(bad)
    except re.error as e:
        print(bad, type(e).__mro__[1].__name__, e.pos)
