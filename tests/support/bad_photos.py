"""Photos that are no photos, or odd ones, a file each."""

import numpy as np
from PIL import Image


def picture(size=(64, 48), mode="RGB"):
    rng = np.random.default_rng(sum(map(ord, mode)))
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    return Image.fromarray(rng.integers(0, 255, shape, np.uint8), mode if mode != "P" else "L")


def spoil(landing):
    """Every bad photo of the list, a file each; what it is refused for, if it is."""
    landing.mkdir(parents=True, exist_ok=True)
    whole = landing / "whole.jpg"
    picture().save(whole)
    (landing / "zero.jpg").write_bytes(b"")
    (landing / "truncated.jpg").write_bytes(whole.read_bytes()[:-300])
    picture((1, 1)).save(landing / "one.png")
    Image.new("RGB", (64, 64), "white").save(landing / "blank.jpg")
    (landing / "text.jpg").write_text("I am no photo, whatever my name says.\n")
    picture((50, 50)).save(landing / "png.jpg", "PNG")
    picture(mode="CMYK").save(landing / "cmyk.jpg")
    picture((40, 40)).quantize(16).save(landing / "palette.png")
    sixteen = np.random.default_rng(3).integers(0, 65535, (48, 64), np.uint16)
    Image.fromarray(sixteen).save(landing / "sixteen.png")
    frames = [picture((60, n)) for n in (44, 44)]
    frames[0].save(landing / "animated.webp", save_all=True, append_images=frames[1:])
    frames[0].save(landing / "animated.gif", save_all=True, append_images=frames[1:])
    picture(mode="RGBA").save(landing / "alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture((70, 40)).save(landing / "rotated.jpg", exif=exif)
    return {
        "empty": 1,  # zero.jpg
        "not_a_photo": 2,  # text.jpg, animated.gif
        "truncated": 1,
        "too_small": 1,
        "blank": 1,
    }
