from pathlib import PurePosixPath as P, PureWindowsPath as W
p = P("/a/b/../c.tar.gz")
print(p.name, p.stem, p.suffix, p.suffixes, p.parent, p.parts, p.with_suffix(".zip"), p.with_name("d"), p / "x", P("a") / "/abs", p.is_absolute(), p.as_posix(), P("a/b/c").relative_to("a"), P("a.py").match("*.py"), [str(x) for x in P("/x/y/z").parents])
w = W(r"C:\Users\x\f.TXT"); print(w.drive, w.root, w.suffix, w.parts, W("a/b") == W(r"A\B"), P("a//b/./c"), P("~"), sorted([P("b"), P("a")]), P(".").name == "", P("a").joinpath("b", "c"), P("a/b").is_relative_to("a"), w.as_uri(), P("x").with_stem("y"))
