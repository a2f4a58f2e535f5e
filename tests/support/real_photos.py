"""Where real photos and weights lie, on machines that have them."""

from pathlib import Path

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "photos"


WEIGHTS = PHOTOS.parent / "weights" / "mobilenet_v2_imagenet.weights.h5"
