import gettext, getopt, optparse
print(gettext.gettext("hi"), gettext.ngettext("one", "many", 2), getopt.getopt(["-a", "--b=1", "x"], "a", ["b="])); p = optparse.OptionParser(); p.add_option("-n", type="int", default=1); o, rest = p.parse_args(["-n", "5", "z"]); print(o.n, rest)
try: getopt.getopt(["-z"], "a")
except getopt.GetoptError as e: print(e)
