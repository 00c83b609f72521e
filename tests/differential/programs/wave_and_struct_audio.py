import wave, io, struct, math
b = io.BytesIO()
with wave.open(b, "wb") as w: w.setnchannels(1); w.setsampwidth(2); w.setframerate(8000); w.writeframes(b"".join(struct.pack("<h", int(1000 * math.sin(i))) for i in range(100)))
b.seek(0)
with wave.open(b) as r: print(r.getnframes(), r.getframerate(), struct.unpack("<3h", r.readframes(3)))
