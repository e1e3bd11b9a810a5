"""Debian packages as material: which ones a program needs, and the files in them. Nothing is installed, no script is run."""

import os
import re
import subprocess
import tarfile

# What packages name for the sake of their installation alone: an image is never installed into.
FOR_INSTALLING = {
    "adduser", "debconf", "debconf-2.0", "dpkg", "install-info", "libpam-runtime", "perl", "perl-base", "perl:any", "tar",
}
# The most packages that an image may be made of: a longer list is a mistake in a recipe.
PACKAGES_MAX = 120


class PackageError(Exception):
    """What is wrong, for a person."""


def _run(arguments, empty=None, **more):
    """What a program prints. Saying `empty` it has failed to find anything, and that is no error."""
    try:
        done = subprocess.run(arguments, check=False, capture_output=True, env={**os.environ, "LC_ALL": "C"}, **more)
    except FileNotFoundError as error:
        raise PackageError(f"`{arguments[0]}` is missing: images are built of Debian's packages, on Debian") from error
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode and not (empty and empty in said):
        raise PackageError(f"`{' '.join(arguments)}` failed: {said}")
    return done.stdout


# What apt has told: each question costs it half a second.
_TOLD = {}


def _stanzas(names):
    """What apt knows of packages, as {name: {field: value}}; names that are only provided by others are left out.

    Of several versions it is the newest that can be fetched: what somebody has installed by hand cannot."""
    asked = [name for name in sorted(names) if name not in _TOLD]
    if asked:
        _TOLD.update(dict.fromkeys(asked))
        for stanza in _run(["apt-cache", "show", *asked], empty="No packages found").decode().split("\n\n"):
            fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", stanza, re.MULTILINE))
            if "Filename" in fields and not _TOLD.get(fields["Package"]):
                _TOLD[fields["Package"]] = fields
    return {name: _TOLD[name] for name in names if _TOLD[name]}


def _needs(fields):
    """The names of what a package depends on; of alternatives the first."""
    lists = [fields.get("Pre-Depends", ""), fields.get("Depends", "")]
    for need in ",".join(lists).split(","):
        name = re.split(r"[ (|]", need.strip(), maxsplit=1)[0]
        name = name.removesuffix(":any")
        if name:
            yield name


def closure(names):
    """The packages and all that they need to run, sorted."""
    known, wave = {}, set(names)
    while wave:
        found = _stanzas(wave)
        for name in names:
            if name in wave and name not in found:
                raise PackageError(f"apt knows no package {name}: `apt-get update` may help")
        known.update(found)
        needed = {need for fields in found.values() for need in _needs(fields)}
        wave = needed - known.keys() - FOR_INSTALLING
        if len(known) > PACKAGES_MAX:
            raise PackageError(f"{', '.join(names)} need more than {PACKAGES_MAX} packages")
    return sorted(known)


def download(names, folder):
    """Fetches packages into a folder; the files, in the order of their names."""
    os.makedirs(folder, exist_ok=True)
    there = {name.split("_", 1)[0]: name for name in os.listdir(folder) if name.endswith(".deb")}
    missing = [name for name in names if name not in there]
    if missing:
        found = _stanzas(missing)
        versions = [f"{name}={found[name]['Version']}" for name in missing]
        _run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *versions], cwd=folder)
        there = {name.split("_", 1)[0]: name for name in os.listdir(folder) if name.endswith(".deb")}
    return [os.path.join(folder, there[name]) for name in names]


def entries(package):
    """The files of a package: pairs of a header and the content, which is nothing but for regular files."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for header in archive:
                yield header, archive.extractfile(header).read() if header.isreg() else None
    if process.returncode:
        raise PackageError(f"{package} cannot be unpacked")
