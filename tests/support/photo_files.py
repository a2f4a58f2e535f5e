"""Photos as bytes, built part by part: JPEG of segments, PNG and WebP of chunks; and what a reader shows."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image, ImageOps, ImageSequence


def picture(mode: str = "RGB", size: tuple[int, int] = (24, 16), seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    return Image.fromarray(pixels, "RGBA" if mode != "CMYK" else "CMYK").convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(target, **options)
    else:
        image.save(target, kind, **options)
    return target.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


def jpeg(*segments: bytes, image: Image.Image | None = None, **options: object) -> bytes:
    plain = encoded(image or picture(), "JPEG", **options)
    return plain[:2] + b"".join(segments) + plain[2:]


def between_scans(photo: bytes, *segments: bytes) -> bytes:
    second = photo.index(b"\xff\xda", photo.index(b"\xff\xda") + 2)
    return photo[:second] + b"".join(segments) + photo[second:]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes, image: Image.Image | None = None, **options: object) -> bytes:
    """A PNG with chunks behind IHDR."""
    plain = encoded(image or picture(), "PNG", **options)
    return plain[:33] + b"".join(chunks) + plain[33:]


def before_end(photo: bytes, *chunks: bytes) -> bytes:
    return photo[:-12] + b"".join(chunks) + photo[-12:]


def animation(kind: str, **options: object) -> bytes:
    frames = [picture("RGBA", seed=seed) for seed in range(3)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=9, **options)


def riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def frames(content: bytes) -> list[tuple[str, tuple[int, int], bytes, object, object]]:
    """Pixels of every frame, with all that says how to show them."""
    with opened(content) as image:
        if image.format == "MPO":
            image.seek(0)
            return [shown(image)]
        return [shown(frame) for frame in ImageSequence.Iterator(image)]


def shown(image: Image.Image) -> tuple[str, tuple[int, int], bytes, object, object]:
    colours = image.convert("RGBA").tobytes() if image.mode == "P" else None
    return image.mode, image.size, image.tobytes(), colours, image.info.get("transparency")


def upright(content: bytes) -> bytes:
    with opened(content) as image:
        return ImageOps.exif_transpose(image).tobytes()


def changed(photo: bytes, at: int, value: bytes) -> bytes:
    return photo[:at] + value + photo[at + len(value) :]
