import secrets, hashlib, hmac, string
print(len(secrets.token_hex(8)), len(secrets.token_bytes(5)), secrets.choice("a"), 0 <= secrets.randbelow(10) < 10, secrets.compare_digest("a", "a"))
print(hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 100, 16).hex(), len("".join(secrets.choice(string.ascii_letters) for _ in range(12))))
