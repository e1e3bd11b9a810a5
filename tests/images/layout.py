"""Image layouts as the OCI specifies them: a folder of blobs by digest, and an index."""

import json
import os
import time

from layer import MOMENT, compressed, digest

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
# How Debian and the OCI name the machines on which images are built.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Layout:
    """A layout that is being written."""

    def __init__(self, folder):
        self._folder = folder
        self._blobs = os.path.join(folder, "blobs", "sha256")
        os.makedirs(self._blobs)

    def layer(self, archive):
        """Stores a layer; what a manifest and a configuration say of it."""
        blob = compressed(archive)
        return {"mediaType": LAYER, "digest": self._store(blob), "size": len(blob)}, digest(archive)

    def image(self, layers, settings):
        """Stores an image of layers, and the index that names it `latest`."""
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(MOMENT))
        platform = {"architecture": ARCHITECTURES[os.uname().machine], "os": "linux"}
        config = {
            "created": created,
            **platform,
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
            "history": [{"created": created, "created_by": "pilvi: tests/images"} for _ in layers],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._document(config, CONFIG),
            "layers": [descriptor for descriptor, _ in layers],
        }
        entry = self._document(manifest, MANIFEST)
        entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
        entry["platform"] = platform
        self._write("oci-layout", _text({"imageLayoutVersion": "1.0.0"}))
        self._write("index.json", _text({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))

    def _document(self, document, media_type):
        content = _text(document)
        return {"mediaType": media_type, "digest": self._store(content), "size": len(content)}

    def _store(self, content):
        name = digest(content)
        self._write(os.path.join("blobs", *name.split(":")), content)
        return name

    def _write(self, name, content):
        with open(os.path.join(self._folder, name), "wb") as file:
            file.write(content)


def _text(document):
    return json.dumps(document, separators=(",", ":")).encode()
