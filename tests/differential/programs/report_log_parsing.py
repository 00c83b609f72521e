import re, datetime, json
log = """2024-01-01T10:00:00 INFO start id=1
2024-01-01T10:00:05 ERROR failed id=2 code=500
2024-01-01T10:01:00 WARN slow id=1 ms=1200
bad line"""
pattern = re.compile(r"^(?P<t>\S+) (?P<level>INFO|WARN|ERROR) (?P<msg>\w+)(?P<rest>.*)$")
out = []
for line in log.splitlines():
    if m := pattern.match(line):
        out.append({"at": datetime.datetime.fromisoformat(m["t"]).isoformat(), "level": m["level"], **dict(p.split("=") for p in m["rest"].split())})
    else: out.append({"unparsed": line})
print(json.dumps(out, indent=1))
