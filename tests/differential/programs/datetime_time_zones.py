from datetime import datetime, timedelta, timezone
tz = timezone(timedelta(hours=5, minutes=30), "IST")
d = datetime(2024, 1, 1, 12, tzinfo=tz)
print(d, d.astimezone(timezone.utc), d.tzname(), d.utcoffset(), d.timestamp())
print(datetime.fromtimestamp(0, timezone.utc), datetime(1970, 1, 2, tzinfo=timezone.utc).timestamp())
try:
    d < datetime(2024, 1, 1)
except TypeError as e:
    print(e)
print(d == datetime(2024, 1, 1, 6, 30, tzinfo=timezone.utc), timezone(timedelta(hours=-3)))
