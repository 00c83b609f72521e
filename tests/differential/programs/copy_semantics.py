import copy
a = [1, [2, 3], {"k": [4]}]
s, d = copy.copy(a), copy.deepcopy(a)
a[1].append(9)
print(s, d, s[1] is a[1])
class C:
    def __init__(self): self.v = [1]
    def __deepcopy__(self, memo): print("deep"); return "replaced"
    def __copy__(self): return "shallow"
print(copy.copy(C()), copy.deepcopy([C()]))
x = []; x.append(x); y = copy.deepcopy(x); print(y[0] is y)
