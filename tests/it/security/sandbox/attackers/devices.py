# Makes devices wherever that can be done, and opens them.
import os
import stat
import sys

made = 0
for device in sys.argv[1:]:
    kind, major, minor = device.split(":")
    mode = {"b": stat.S_IFBLK, "c": stat.S_IFCHR}[kind] | 0o666
    for folder in ("/tmp", "/dev", "/dev/shm", "/root"):
        path = f"{folder}/{kind}-{major}-{minor}"
        try:
            os.mknod(path, mode, os.makedev(int(major), int(minor)))
            made += 1
        except OSError:
            continue
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
            try:
                os.close(os.open(path, flags | os.O_NONBLOCK))
                print("OPENED", path)
            except OSError:
                pass
print("made" if made else "none")
