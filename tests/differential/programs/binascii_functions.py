import binascii
print(binascii.hexlify(b"\x00\xffab"), binascii.unhexlify("00ff"), binascii.crc32(b"hello"), binascii.b2a_base64(b"hi"), binascii.a2b_qp(b"=C3=A9"), binascii.hexlify(b"abcd", "-"))
try:
    binascii.unhexlify("0")
except binascii.Error as e:
    print(type(e).__name__)
print(bytes.fromhex("de ad"), b"\xde".hex(), b"abc".hex(":"))
