# Looks for another workload's processes, and for what they share without a process: names of sockets, memory, queues.
import ctypes
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)
own = {int(pid) for pid in os.listdir("/proc") if pid.isdigit()}
for pid in own:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            if b"of-the-victims" in file.read():
                print("environment of", pid)
    except OSError:
        pass
ATTACH, SEIZE = 16, 0x4206
for pid in range(2, 1 << 17):
    if pid in own:
        continue
    if libc.kill(pid, 0) == 0:
        print("signal", pid)
    if libc.ptrace(ATTACH, pid, None, None) == 0 or libc.ptrace(SEIZE, pid, None, None) == 0:
        print("trace", pid)
if libc.kill(-1, 0) == 0 and len(own) == 1:
    print("signal to somebody")
try:
    socket.socket(socket.AF_UNIX).connect("\0victim")
    print("socket")
except OSError:
    pass
for call in (libc.shmget, libc.msgget, libc.semget):
    arguments = (0x7069, 0) if call is libc.msgget else (0x7069, 0, 0)
    if call(*arguments) != -1:
        print(call.__name__)
for folder in ("/dev/shm", "/dev/mqueue", "/tmp"):
    if os.listdir(folder):
        print(folder, os.listdir(folder))
print("looked")
