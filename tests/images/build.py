"""build.py FOLDER [NAME...]: builds the images that the tests use, each an OCI image layout FOLDER/NAME.

The same packages give the same bytes. What is fetched is kept in FOLDER/packages.
"""

import os
import shutil
import sys

from debian import PackageError
from layout import Layout
from recipes import RECIPES, Kitchen


def build(folder, names):
    """Builds images, each complete or not there at all."""
    kitchen = Kitchen(os.path.join(folder, "packages"))
    archives = {}
    for name in names:
        layers, settings = RECIPES[name](kitchen)
        unfinished = os.path.join(folder, f".{name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        layout = Layout(unfinished)
        described = []
        for layer in layers:
            if id(layer) not in archives:
                archives[id(layer)] = (layer, layer.archive())
            described.append(layout.layer(archives[id(layer)][1]))
        layout.image(described, settings)
        finished = os.path.join(folder, name)
        shutil.rmtree(finished, ignore_errors=True)
        os.rename(unfinished, finished)
        size = sum(descriptor["size"] for descriptor, _ in described)
        print(f"{name}: {len(layers)} {'layer' if len(layers) == 1 else 'layers'}, {size / 1e6:.1f} MB", flush=True)


def main(arguments):
    if not arguments or any(name not in RECIPES for name in arguments[1:]):
        sys.exit(f"usage: build.py FOLDER [{'|'.join(RECIPES)}]...")
    try:
        build(os.path.abspath(arguments[0]), arguments[1:] or list(RECIPES))
    except PackageError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
