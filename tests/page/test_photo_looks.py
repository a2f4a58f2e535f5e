"""The page's verdict on a photo is the lake's: kept, or refused for the very same reason."""

from __future__ import annotations

import struct
import zlib
from itertools import islice
from pathlib import Path

from PIL import Image

from benchmarks.hostile_files import hostile, written_formats
from lake import catalog, delta_rs_reader
from page.photo_looks import looks
from page.predictions import local_model
from silver.local_inference import LookedAt
from tests.support.bad_photos import picture, spoil
from tests.support.colour_profiles import display, printer
from tests.support.heif_files import tiled
from tests.support.photo_files import before_end, chunk, encoded, png, segment

MAX_BYTES = 1_000_000
HOSTILE = 240


def packed(kind: bytes, name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG with compressed content."""
    return chunk(kind, name + b"\0\0" + zlib.compress(content, 1))


def odd_files() -> dict[str, bytes]:
    """Photos with much, or too much, beside their pixels, and files that only look like photos."""
    shown = [picture((64, 48 + n)) for n in range(24)]
    plain = encoded(shown[0], "JPEG")
    large = printer(points=55)
    assert len(large) > 1 << 20
    text = zlib.compress(b"x" * 2**16, 1)
    return {
        "large_profile.png": png(packed(b"iCCP", b"icc", large), image=shown[1]),
        "profile_bomb.png": png(packed(b"iCCP", b"icc", bytes(2**25)), image=shown[2]),
        "broken_profile.png": png(chunk(b"iCCP", b"icc\0\0" + b"?" * 40), image=shown[3]),
        "large_text.png": png(packed(b"zTXt", b"Comment", b"x" * 2**21), image=shown[4]),
        "text_behind.png": before_end(
            encoded(shown[5], "PNG"), packed(b"zTXt", b"Comment", b"x" * 2**21)
        ),
        "many_texts.png": png(
            *[chunk(b"zTXt", b"Key%d\0\0" % n + text) for n in range(1_200)], image=shown[6]
        ),
        "international_text.png": png(
            chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 2**21)), image=shown[7]
        ),
        "bad_checksum_of_text.png": png(
            struct.pack(">I", 3) + b"tEXtA\0b" + bytes(4), image=shown[8]
        ),
        "profile.jpg": encoded(shown[9], "JPEG", icc_profile=display(private=b"Jeanne")),
        "profile.webp": encoded(shown[10], "WEBP", icc_profile=display(private=b"Jeanne")),
        "phone.heic": encoded(shown[17], "HEIC", xmp=b"<x/>"),
        "phone_named.jpg": encoded(shown[18], "HEIC"),
        "web.avif": encoded(shown[19], "AVIF", xmp=b"<x/>"),
        "grid.heic": tiled(2, 3, 190, 100),
        "cut.heic": encoded(shown[20], "HEIC")[:-200],
        "cut.avif": encoded(shown[21], "AVIF")[:-200],
        "header.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "comments.jpg": plain[:2] + segment(0xFE, b"x" * 60_000) * 9 + plain[2:],
        "stray_bytes.jpg": plain[:20] + bytes(3) + plain[20:],
        "filled_marker.jpg": plain[:20] + b"\xff" * 9 + plain[20:],
        "behind_the_end.jpg": encoded(shown[11], "JPEG") + b"a film of a moving photo" * 99,
        "two_headers.png": png(chunk(b"IHDR", bytes(13)), image=shown[12]),
        "no_end.png": encoded(shown[13], "PNG")[:-12],
        "cut.webp": encoded(shown[14], "WEBP")[:-200],
        "header.jpg": b"\xff\xd8\xff",
        "header.png": b"\x89PNG\r\n\x1a\n",
        "film.mp4": b"\0\0\0\x18ftypmp42" + bytes(400),
        "page.html": b"<html>",
        "bomb.png": encoded(Image.new("1", (40_000, 20_000)), "PNG"),
        "too_large.jpg": encoded(shown[15], "JPEG") + bytes(MAX_BYTES),
        "as_large_as_can_be.jpg": encoded(shown[16], "JPEG").ljust(MAX_BYTES, b"\0"),
    }


def fill(landing: Path) -> dict[str, bytes]:
    """The files of a landing folder, by name, none with the bytes of another one."""
    spoil(landing)
    files = odd_files() | {
        f"changed_{n}.jpg": content
        for n, (_, content) in enumerate(islice(hostile(written_formats(), seed=5), 900))
        if n % 4 == 0 or n > 900 - HOSTILE
    }
    for name, content in files.items():
        (landing / name).write_bytes(content)
    found = {path.name: path.read_bytes() for path in sorted(landing.iterdir())}
    return dict({content: (name, content) for name, content in found.items()}.values())


def lake_verdicts(place) -> dict[str, str]:
    """Why each file was refused by the lake, or that it was kept, by its name."""
    rejected = delta_rs_reader.rows(place.files.root, catalog.REJECTED)
    refused = delta_rs_reader.rows(place.files.root, catalog.QUARANTINE)
    paths = {
        row["photo_id"]: row["path"]
        for row in delta_rs_reader.rows(
            place.files.root, catalog.PHOTOS, columns=["photo_id", "path"]
        )
    }
    return (
        dict.fromkeys(paths.values(), "kept")
        | {row["path"]: f"{row['reason']} ({row['detail']})" for row in rejected}
        | {paths[row["photo_id"]]: f"{row['reason']} ({row['detail']})" for row in refused}
    )


def test_the_page_takes_what_the_lake_takes_and_refuses_the_rest_for_the_same_reasons(place):
    place = place.set(f"photos.max_bytes={MAX_BYTES}", "gates.refused_share=1")
    files = fill(place.landing)
    place.run("bronze", "silver")
    model = local_model(place.files, place.settings)
    found = {
        name: "kept" if isinstance(look, LookedAt) else f"{look.reason.value} ({look.detail})"
        for name, look in zip(files, looks(model, list(files.values())), strict=True)
    }
    lake = lake_verdicts(place)
    assert found == {name: lake[name] for name in files}
    kept = {name for name, verdict in found.items() if verdict == "kept"}
    assert {
        *("large_profile.png", "profile_bomb.png", "broken_profile.png", "large_text.png"),
        *("text_behind.png", "many_texts.png", "international_text.png", "profile.jpg"),
        *("phone.heic", "phone_named.jpg", "web.avif", "grid.heic"),
        *("profile.webp", "comments.jpg", "behind_the_end.jpg", "as_large_as_can_be.jpg"),
    } <= kept
    reasons = {verdict.partition(" ")[0] for verdict in found.values()}
    assert {"malformed", "not_a_photo", "truncated", "too_large", "pixel_bomb", "empty"} <= reasons
