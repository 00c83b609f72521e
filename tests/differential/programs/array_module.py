from array import array
a = array("i", [1, 2, 3])
a.append(4); a.extend([5]); a.insert(0, 0)
print(a, a.itemsize >= 2, a.tolist(), a[1:3], a.index(3), sum(a), a.tobytes() == array("i", a).tobytes())
b = array("d", [1.5]); b.frombytes(array("d", [2.5]).tobytes()); print(b, array("B", b"ab"), a.count(2)); a.byteswap(); a.byteswap(); print(a.pop(), a.typecode)
try: array("b", [200])
except OverflowError: print("overflow")
