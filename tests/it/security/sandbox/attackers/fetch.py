# Says what is served at each of some places.
import sys
import urllib.request

for place in sys.argv[1:]:
    try:
        with urllib.request.urlopen(f"http://{place}/passwd", timeout=2) as answer:
            print(place, answer.read(4096).decode())
    except OSError as error:
        print(place, error)
