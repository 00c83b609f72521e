from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo
berlin = ZoneInfo("Europe/Berlin")
for day in (datetime(2024, 1, 15, 12), datetime(2024, 7, 15, 12)):
    d = day.replace(tzinfo=berlin)
    print(d.isoformat(), d.tzname(), d.dst())
before = datetime(2024, 3, 31, 1, 30, tzinfo=berlin)
print(before, (before.astimezone(timezone.utc) + timedelta(hours=1)).astimezone(berlin))
for fold in (0, 1):
    print(datetime(2024, 10, 27, 2, 30, fold=fold, tzinfo=berlin).utcoffset())
