import configparser, io
c = configparser.ConfigParser()
c.read_string("""
[DEFAULT]
base = /x
[a]
path = %(base)s/y
n = 5
flag = yes
multi = one
  two
[b]
f: 1.5 ; comment
""")
print(c.sections(), c["a"]["path"], c.getint("a", "n"), c["a"].getboolean("flag"), repr(c["a"]["multi"]), c["b"].get("zz", "dflt"), c.has_option("b", "base"))
c["new"] = {"k": "v"}; out = io.StringIO(); c.write(out); print(out.getvalue())
for bad in ("x=1", "[a]\n[a]\n", "[a]\nkey"):
    try: configparser.ConfigParser().read_string(bad)
    except configparser.Error as e: print(type(e).__name__)
