import struct
print(struct.pack(">IhB", 1, -2, 255), struct.unpack("<hH", b"\x01\x00\xff\xff"), struct.calcsize("<bqd"), struct.pack("<d", 1.5).hex(), struct.pack("5s", b"ab"))
s = struct.Struct("!HH"); print(s.size, s.pack(1, 2), list(s.iter_unpack(b"\x00\x01\x00\x02")))
buf = bytearray(4); struct.pack_into("<H", buf, 1, 513); print(buf, struct.unpack_from("<H", buf, 1))
for bad in (("B", 256), ("<i", "x")):
    try: struct.pack(*bad)
    except struct.error as e: print("error")
