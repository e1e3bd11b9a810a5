"""Unpacks the AWS CLI v2 from the wheel that carries it.

usage: unpack_awscli.py WHEEL DESTINATION

The wheel holds an npm archive, which holds a zip with `awscli/v2/<version>/dist`. That folder becomes DESTINATION.
Links in the zip point into a Lambda layer's file system and are left out.
"""

import io
import os
import stat
import sys
import tarfile
import zipfile

ARCHIVE_FOLDER = "aws_cdk/asset_awscli_v2/_jsii/"
LAYER = "package/lib/layer.zip"


def layer(wheel):
    """The zip inside the npm archive inside the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        names = [n for n in outer.namelist() if n.startswith(ARCHIVE_FOLDER) and n.endswith(".tgz")]
        if len(names) != 1:
            sys.exit(f"{wheel}: expected one npm archive in {ARCHIVE_FOLDER}, found {names}")
        archive = tarfile.open(fileobj=io.BytesIO(outer.read(names[0])))
    with archive:
        return zipfile.ZipFile(io.BytesIO(archive.extractfile(LAYER).read()))


def unpack(wheel, destination):
    with layer(wheel) as inner:
        for entry in inner.infolist():
            parts = entry.filename.split("/")
            mode = entry.external_attr >> 16
            # awscli/v2/<version>/dist/<path>
            if len(parts) < 5 or parts[3] != "dist" or entry.is_dir() or stat.S_ISLNK(mode):
                continue
            if ".." in parts:
                sys.exit(f"{wheel}: {entry.filename} leaves its folder")
            path = os.path.join(destination, *parts[4:])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(inner.read(entry))
            os.chmod(path, stat.S_IMODE(mode) & 0o755)
    if not os.access(os.path.join(destination, "aws"), os.X_OK):
        sys.exit(f"{wheel}: no program `aws` in it")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    unpack(sys.argv[1], sys.argv[2])
