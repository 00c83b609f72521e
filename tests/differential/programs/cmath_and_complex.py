import cmath
z = 3 + 4j
print(abs(z), z.conjugate(), z * 1j, z ** 2, z / (1 - 1j), complex("1+2j"), z.real, z.imag)
print(round(cmath.phase(z), 10), cmath.sqrt(-4), cmath.isclose(cmath.exp(1j * cmath.pi), -1), cmath.rect(1, 0))
print([round(x, 6) for x in cmath.polar(1j)], repr(complex(0, -0.0)), -z, z == complex(3, 4), hash(1 + 0j) == hash(1))
