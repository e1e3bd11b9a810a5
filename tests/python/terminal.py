"""`pilvi run -it` and `pilvi exec -it` at a terminal: what a person sees, and what the terminal is afterwards.

Called with the program, its data directory and an image. Prints the steps that were taken, as JSON.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

LIMIT_S = 60
PILVI, DATA_DIR, IMAGE = sys.argv[1:4]


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, arguments, rows, columns):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.seen = b""
        environment = dict(os.environ, PILVI_DATA_DIR=DATA_DIR, TERM="xterm")
        self.child = os.fork()
        if self.child == 0:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for descriptor in range(3):
                os.dup2(slave, descriptor)
            os.execve(PILVI, [PILVI, *arguments], environment)
        self.slave = slave

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text)

    def until(self, text):
        """Waits until the program has shown something."""
        return self.until_one_of(text)

    def until_one_of(self, *texts):
        """Waits until the program has shown one of these; which."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            shown = [(self.seen.index(text), text) for text in texts if text in self.seen]
            if shown:
                _, first = min(shown)
                _, self.seen = self.seen.split(first, 1)
                return first
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"none of {texts!r} is shown: {self.seen!r}")
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    raise AssertionError(f"it ended before it showed one of {texts!r}: {self.seen!r}") from None

    def end(self):
        """Waits for the program's end; its exit code. The terminal is to be what it was."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            # What it still shows must be read, or it would wait.
            if select.select([self.master], [], [], 0.01)[0]:
                self.seen += os.read(self.master, 65536)
            ended, status = os.waitpid(self.child, os.WNOHANG)
            if ended:
                break
            if time.monotonic() > deadline:
                os.kill(self.child, signal.SIGKILL)
                raise AssertionError(f"it does not end: {self.seen!r}")
        after = termios.tcgetattr(self.slave)
        assert after == self.before, f"the terminal is another: {self.before} {after}"
        os.close(self.slave)
        os.close(self.master)
        return os.waitstatus_to_exitcode(status)


def main():
    steps = []

    shell = Terminal(["run", "-it", "--rm", "--name", "shell", IMAGE, "sh"], 30, 100)
    shell.until(b"# ")
    shell.type(b"stty size; tty\r")
    shell.until(b"30 100")
    steps.append("it has the terminal's size")
    shell.resize(20, 50)
    # The size comes another way than keys do: the shell is asked until it knows.
    deadline = time.monotonic() + LIMIT_S
    while True:
        shell.type(b"[ \"$(stty size)\" = '20 50' ] && echo re''sized || echo st''ill\r")
        if shell.until_one_of(b"resized", b"still") == b"resized":
            break
        assert time.monotonic() < deadline, "the new size is not seen"
    steps.append("it sees a new size")

    shell.type(b"sleep 1000\r")
    time.sleep(0.3)
    shell.type(b"\x03")
    shell.type(b"echo in''terrupted\r")
    shell.until(b"interrupted")
    steps.append("ctrl-c is for what runs inside")

    shell.type(b"\x10\x11")
    code = shell.end()
    assert code == 0, code
    steps.append("ctrl-p ctrl-q leaves it")

    inside = Terminal(["exec", "-it", "shell", "sh"], 25, 90)
    inside.until(b"# ")
    inside.type(b"stty size; exit 7\r")
    inside.until(b"25 90")
    code = inside.end()
    assert code == 7, code
    steps.append("a program beside it has a terminal of its own")

    outside = Terminal(["run", "-it", "--rm", IMAGE, "sh"], 25, 90)
    outside.until(b"# ")
    os.kill(outside.child, signal.SIGTERM)
    code = outside.end()
    assert code in (143, -signal.SIGTERM), code
    steps.append("a command that is ended gives the terminal back")

    print(json.dumps({"steps": steps}))


main()
