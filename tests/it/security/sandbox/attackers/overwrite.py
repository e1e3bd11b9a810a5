# Holds whatever is executed among this container's processes, and opens it for writing while it runs and after it has ended.
import os
import time

# Its own programs it may change: they are the image's.
own = set()
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = set(folders) - {"proc", "sys", "dev"}
    for name in files:
        of = os.stat(os.path.join(folder, name), follow_symlinks=False)
        own.add((of.st_dev, of.st_ino))
held = {}
written = set()


def open_again(fd):
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK):
        try:
            os.close(os.open(f"/proc/self/fd/{fd}", flags))
            return True
        except OSError:
            pass
    return False


def look():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fd = os.open(f"/proc/{pid}/exe", os.O_PATH)
            of = os.fstat(fd)
        except OSError:
            continue
        key = (of.st_dev, of.st_ino)
        if key in own or key in held:
            os.close(fd)
        else:
            held[key] = fd


print("ready", flush=True)
enough = 0
while enough < 200:
    look()
    for key, fd in held.items():
        if key not in written and open_again(fd):
            written.add(key)
            print("WRITABLE", os.readlink(f"/proc/self/fd/{fd}"), flush=True)
    enough += os.path.exists("/tmp/enough")
print("tried", len(held), flush=True)
while True:
    time.sleep(1000)
