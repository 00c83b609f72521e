from datetime import datetime, date, time
for s in ["2024-03-05", "2024-03-05T10:20:30", "2024-03-05 10:20:30.5+02:00", "20240305T102030Z"]:
    print(datetime.fromisoformat(s).isoformat())
print(date.fromisoformat("2024-W10-2"), time.fromisoformat("04:23:01.000384"))
for s in ["2024-13-01", "abc"]:
    try:
        datetime.fromisoformat(s)
    except ValueError as e:
        print(type(e).__name__)
