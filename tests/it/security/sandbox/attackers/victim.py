# Has a secret wherever processes have some, and waits.
import ctypes
import os
import socket
import time

secret = os.environ.get("SECRET", "of-the-victims")
with open("/dev/shm/secret", "w") as file:
    print(secret, file=file)
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0victim")
abstract.listen()
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
memory = libc.shmget(0x7069, 4096, 0o1666)
ctypes.memmove(libc.shmat(memory, None, 0), secret.encode(), len(secret))
libc.msgget(0x7069, 0o1666)
libc.semget(0x7069, 1, 0o1666)
print("ready", flush=True)
while True:
    time.sleep(1000)
