# Fills every place that can be written to, with bytes and with empty files; says where that had no end.
import os
import sys

limit = int(sys.argv[1]) << 20
FILES_MAX = 60_000
with open("/proc/self/mountinfo") as table:
    places = sorted({line.split()[4] for line in table})
for place in places:
    if not os.path.isdir(place) or place.startswith(("/proc", "/sys")):
        continue
    path = os.path.join(place, "fill")
    try:
        file = open(path, "wb", buffering=0)
    except OSError:
        continue
    written = 0
    try:
        while written < limit:
            written += file.write(b"x" * (1 << 20))
        print(place, "ENDLESS: bytes")
    except OSError as error:
        print(place, written, error.strerror)
    file.close()
    os.remove(path)
    made = 0
    try:
        os.mkdir(path)
        while made < FILES_MAX:
            os.close(os.open(f"{path}/{made}", os.O_CREAT | os.O_WRONLY))
            made += 1
        print(place, "made as many files as it liked")
    except OSError as error:
        print(place, made, error.strerror)
