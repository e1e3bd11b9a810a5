"""Layers: trees of files, written as archives that are the same whenever and wherever they are written."""

import gzip
import hashlib
import io
import posixpath
import tarfile

# The time of every file and image: 2024-01-01T00:00:00Z.
MOMENT = 1_704_067_200


class Layer:
    """Files by their paths, which have no leading slash."""

    def __init__(self):
        self._entries = {}

    def __contains__(self, path):
        return path in self._entries

    def directory(self, path, mode=0o755):
        """Makes a directory with the directories above it."""
        self._above(path)
        self._put(path, tarfile.DIRTYPE, mode)

    def file(self, path, content, mode=0o644):
        """Makes a regular file."""
        self._above(path)
        self._put(path, tarfile.REGTYPE, mode, content=content)

    def link(self, path, target):
        """Makes a symbolic link."""
        self._above(path)
        self._put(path, tarfile.SYMTYPE, 0o777, target=target)

    def package(self, entries, wanted):
        """Adds the files of a package whose paths are wanted."""
        for header, content in entries:
            path = posixpath.normpath(header.name).lstrip("/")
            if path == "." or not wanted(path):
                continue
            # A directory that a package has as another's link to one stays the link.
            if header.isdir() and path in self._entries:
                continue
            target = header.linkname if header.issym() else posixpath.normpath(header.linkname).lstrip("/")
            self._put(path, header.type, header.mode, header.uid, header.gid, content, target)

    def content(self, path):
        """The content of a regular file."""
        return self._entries[path][1]

    def paths(self):
        """All paths, sorted."""
        return sorted(self._entries)

    def archive(self):
        """The layer as an uncompressed archive."""
        self._give_content_to_first_of_links()
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in self.paths():
                header, content = self._entries[path]
                archive.addfile(header, io.BytesIO(content) if content is not None else None)
        return buffer.getvalue()

    def _above(self, path):
        parent = posixpath.dirname(path)
        if parent and parent not in self._entries:
            self.directory(parent)

    def _put(self, path, kind, mode, uid=0, gid=0, content=None, target=""):
        header = tarfile.TarInfo(path)
        header.type, header.mode, header.uid, header.gid, header.mtime = kind, mode & 0o7777, uid, gid, MOMENT
        header.linkname = target if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
        header.size = len(content) if content is not None else 0
        self._entries[path] = (header, content)

    def _give_content_to_first_of_links(self):
        """Of several names of one file the first in the archive must be the one with the content."""
        names = {}
        for path, (header, _) in self._entries.items():
            if header.islnk():
                names.setdefault(header.linkname, []).append(path)
        for target, links in names.items():
            header, content = self._entries[target]
            first = min([target, *links])
            if first == target:
                continue
            for path in [target, *links]:
                if path == first:
                    self._put(path, tarfile.REGTYPE, header.mode, header.uid, header.gid, content)
                else:
                    self._put(path, tarfile.LNKTYPE, header.mode, header.uid, header.gid, target=first)


def digest(content):
    """The name of content in an image."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def compressed(archive):
    """The archive as gzip, without a name or a time in it."""
    return gzip.compress(archive, compresslevel=6, mtime=0)
