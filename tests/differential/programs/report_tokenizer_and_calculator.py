import re, operator
ops = {"+": (1, operator.add), "-": (1, operator.sub), "*": (2, operator.mul), "/": (2, operator.truediv), "^": (3, operator.pow)}
def calc(s):
    out, st = [], []
    def apply(): b, a = out.pop(), out.pop(); out.append(ops[st.pop()][1](a, b))
    for t in re.findall(r"\d+\.?\d*|[-+*/^()]", s):
        if t in ops:
            while st and st[-1] in ops and (ops[st[-1]][0] > ops[t][0] or ops[st[-1]][0] == ops[t][0] and t != "^"): apply()
            st.append(t)
        elif t == "(": st.append(t)
        elif t == ")":
            while st[-1] != "(": apply()
            st.pop()
        else: out.append(float(t))
    while st: apply()
    return out[0]
for e in ("1+2*3", "(1+2)*3", "2^3^2", "10/4-1"): print(e, calc(e))
