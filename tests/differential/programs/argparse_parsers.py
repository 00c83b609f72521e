import argparse, io, contextlib
p = argparse.ArgumentParser(prog="tool", description="d", exit_on_error=False)
p.add_argument("files", nargs="+"); p.add_argument("-n", "--num", type=int, default=3); p.add_argument("-v", action="count", default=0); p.add_argument("--mode", choices=["a", "b"]); p.add_argument("--flag", action="store_true")
print(p.parse_args(["x", "y", "-n", "5", "-vv", "--mode", "a"]), p.parse_known_args(["x", "--zz"])[1])
for bad in (["x", "-n", "q"], ["x", "--mode", "z"]):
    try: p.parse_args(bad)
    except argparse.ArgumentError as e: print(e.argument_name)
sp = argparse.ArgumentParser(prog="t"); sub = sp.add_subparsers(dest="cmd"); add = sub.add_parser("add"); add.add_argument("k", type=float)
print(sp.parse_args(["add", "1.5"]))
with contextlib.redirect_stderr(io.StringIO()) as err:
    try: sp.parse_args(["nope"])
    except SystemExit as e: print(e.code, "invalid choice" in err.getvalue())
