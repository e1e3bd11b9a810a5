"""What is in each image."""

import re

import debian
from layer import Layer

# What no program in an image reads.
UNREAD = ("usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/",
          "usr/share/bug/", "usr/share/doc-base/", "usr/share/menu/", "usr/share/pixmaps/", "usr/share/applications/")
USERS = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUPS = b"root:x:0:\nnogroup:x:65534:\n"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What every image that is not a single program has.
BASE = ["base-files", "libc6", "zlib1g", "dash", "busybox-static", "ca-certificates", "netbase", "tzdata"]
# Needed by their packages, not by what an image does.
NOT_IN_BASE = {"openssl", "libssl3", "libssl3t64", "openssl-provider-legacy", "base-passwd", "mawk"}
# The commands of a small shell; the full set of busybox is in the image of its name.
COMMANDS = """cat chmod chown cp cut date df du echo env false find grep head hostname id kill ln ls mkdir mount mv ps
    rm sed seq sleep sort stat tail tar test touch tr true umount uname uniq wc wget which xargs""".split()


class Kitchen:
    """Where packages are fetched to, and layers that several images share are kept."""

    def __init__(self, packages):
        self._packages = packages
        self._base = None

    def layer(self, names):
        """A layer of the files of these packages."""
        layer = Layer()
        for package in debian.download(names, self._packages):
            layer.package(debian.entries(package), _is_read)
        return layer

    def busybox(self):
        """A static shell with all its commands."""
        package = self.layer(["busybox-static"])
        program = package.content(_busybox(package))
        layer = Layer()
        for path in ["dev", "etc", "proc", "root", "sys", "usr/bin", "var"]:
            layer.directory(path)
        layer.directory("tmp", 0o1777)
        layer.file("bin/busybox", program, 0o755)
        for command in _commands(program):
            layer.link(f"bin/{command}", "busybox")
        _users(layer)
        return [layer], {"Cmd": ["sh"], "Env": [PATH]}

    def static(self):
        """One program and what it serves; nothing else, not even a directory for temporary files."""
        package = self.layer(["busybox-static"])
        layer = Layer()
        layer.file("bin/busybox", package.content(_busybox(package)), 0o755)
        layer.file("srv/index.html", b"<!doctype html><title>static</title><p>Served from an image of one program.\n")
        command = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"]
        return [layer], {"Entrypoint": command, "ExposedPorts": {"8080/tcp": {}}, "User": "65534:65534"}

    def python(self):
        """Debian's Python with its standard library."""
        layer = self._on_base(["python3"])
        layer.link("usr/bin/python", "python3")
        layer.directory("app")
        settings = {"Cmd": ["python3"], "Env": [PATH, "PYTHONUNBUFFERED=1"], "WorkingDir": "/app"}
        return [self.base(), layer], settings

    def node(self):
        """Debian's Node.js, without npm."""
        layer = self._on_base(["nodejs"])
        layer.directory("app")
        return [self.base(), layer], {"Cmd": ["node"], "Env": [PATH, "NODE_ENV=production"], "WorkingDir": "/app"}

    def base(self):
        """What the images of languages share: a small Debian."""
        if self._base is None:
            layer = self.layer([name for name in debian.closure(BASE) if name not in NOT_IN_BASE])
            for path in ["bin", "dev", "proc", "root", "run", "sys", "usr/local/bin"]:
                if path not in layer:
                    layer.directory(path)
            layer.directory("tmp", 0o1777)
            layer.link("bin/sh", "dash" if "bin/dash" in layer else "../usr/bin/dash")
            busybox = _busybox(layer)
            for command in COMMANDS:
                if not {f"bin/{command}", f"usr/bin/{command}"} & set(layer.paths()):
                    layer.link(f"usr/bin/{command}", f"/{busybox}")
            authorities = [path for path in layer.paths() if re.fullmatch(r"usr/share/ca-certificates/.*\.crt", path)]
            layer.file("etc/ssl/certs/ca-certificates.crt", b"".join(layer.content(path) for path in authorities))
            _users(layer)
            self._base = layer
        return self._base

    def _on_base(self, names):
        there = {name for name in debian.closure(BASE) if name not in NOT_IN_BASE}
        return self.layer([name for name in debian.closure(names) if name not in there])


RECIPES = {"busybox": Kitchen.busybox, "static": Kitchen.static, "python": Kitchen.python, "node": Kitchen.node}


def _is_read(path):
    return not f"{path}/".startswith(UNREAD)


def _busybox(layer):
    """Releases of Debian differ in which of its directories are links to others."""
    return next(path for path in ["bin/busybox", "usr/bin/busybox"] if path in layer)


def _commands(program):
    """The commands that are in the program: one text in it holds their names, each ended by a zero."""
    names = re.search(rb"\[\0\[\[\0([a-z0-9_.-]+\0){100,}", program)
    if names is None:
        raise debian.PackageError("busybox-static holds no list of commands")
    return [name for name in names.group().decode().split("\0") if name and name != "busybox"]


def _users(layer):
    layer.file("etc/passwd", USERS)
    layer.file("etc/group", GROUPS)
