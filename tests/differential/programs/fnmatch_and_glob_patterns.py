import fnmatch, glob, re
print(fnmatch.filter(["a.py", "b.txt", "c.PY"], "*.py"), fnmatch.fnmatchcase("A", "a"), fnmatch.fnmatchcase("ab1", "a?[0-9]"), fnmatch.fnmatchcase("x", "[!x]"))
print(bool(re.match(fnmatch.translate("*.t[xy]t"), "a.txt")), glob.escape("a[b]*"), glob.has_magic("a*b"))
