"""Images of Pillow, whose own pickling loses the alpha of a palette, Exif data, and all frames but one."""

from __future__ import annotations

import pickle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

TYPES = ("PIL.Image.Image",)
MODULES = ("PIL", "torchvision")


def dump(image: Any, file: BinaryIO) -> None:
    """Write pixels, mode, info, palette and Exif data. Raises TypeError for an image of several frames."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        cure = "hand on [frame.copy() for frame in PIL.ImageSequence.Iterator(image)]"
        raise TypeError(f"the image has {frames} frames, and only one would go on; {cure}")
    pickle.dump(image, file, protocol=5)
    palette = (image.palette.mode, image.palette.tobytes()) if image.palette else None
    pickle.dump((palette, image.getexif().tobytes()), file, protocol=5)


def load(file: BinaryIO) -> Any:
    """The image again."""
    image = pickle.load(file)
    palette, exif = pickle.load(file)
    if palette:
        image.putpalette(palette[1], palette[0])
    if exif:
        image.getexif().load(exif)
    return image
