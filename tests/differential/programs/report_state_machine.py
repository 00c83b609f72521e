import enum
class S(enum.Enum): IDLE = 0; RUN = 1; DONE = 2
T = {(S.IDLE, "go"): S.RUN, (S.RUN, "stop"): S.IDLE, (S.RUN, "end"): S.DONE}
s = S.IDLE
for ev in ("go", "stop", "end", "go", "end"):
    n = T.get((s, ev)); print(f"{s.name:<5}{ev:<5}{n.name if n else 'ignored'}"); s = n or s
