import re
ok = re.compile(r"^[\w.+-]+@(?:[a-z\d-]+\.)+[a-z]{2,}$", re.I)
for a in ("a@b.co", "a.b+c@d-e.org", "a@b", "@x.y", "a b@c.de", "ä@ö.de"): print(a, bool(ok.match(a)))
