from datetime import datetime, timezone
from zoneinfo import ZoneInfo
now = datetime(2023, 6, 1, tzinfo=timezone.utc)
for name in ["America/New_York", "Asia/Tokyo", "Australia/Sydney", "Asia/Kolkata", "America/Sao_Paulo", "UTC"]:
    print(name, now.astimezone(ZoneInfo(name)).isoformat())
print(ZoneInfo("Asia/Tokyo") is ZoneInfo("Asia/Tokyo"), ZoneInfo("Asia/Tokyo").key)
try:
    ZoneInfo("Mars/Olympus")
except Exception as e:
    print(type(e).__name__, isinstance(e, KeyError))
