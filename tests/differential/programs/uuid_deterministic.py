import uuid
print(uuid.uuid5(uuid.NAMESPACE_DNS, "example.com"), uuid.uuid3(uuid.NAMESPACE_URL, "http://x"))
u = uuid.UUID("12345678-1234-5678-1234-567812345678")
print(u.hex, u.int, u.bytes[:2], u.version, u.urn, u == uuid.UUID(int=u.int), len(str(uuid.uuid4())), uuid.uuid4().version)
try: uuid.UUID("x")
except ValueError as e: print(e)
