"""What the lake's model makes of photos that it doesn't hold: they are cleaned first as bronze cleans them.

A photo that the lake takes is answered, and one that the lake refuses is refused for the same reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing

from bronze.cleaning_process import cleaned
from bronze.formats.cleaning_results import CleanPhoto, NotAPhoto, too_large
from lake.isolated_process import ProcessLimits
from silver.local_inference import InProcessModel, LookedAt
from silver.pixels import RefusedPhoto

Refusal = NotAPhoto | RefusedPhoto
"""The refusal of bronze, which cleans a photo, or of silver, which decodes it."""


def looks(model: InProcessModel, photos: Sequence[bytes]) -> Iterator[LookedAt | Refusal]:
    """Yield what the model makes of each photo, given its bytes, or its refusal, in order.

    Photos are cleaned and decoded in a process each. All calls must come from one thread. Raises
    UnusableModel where the flatbuffer can't be used, and OSError where no process can be started.
    """
    refused = deque[NotAPhoto | None]()
    """For each photo that is cleaned and not yielded yet: its refusal, or None where it goes to the model."""

    def clean_contents() -> Iterator[bytes]:
        for photo in _cleaned(model, photos):
            if isinstance(photo, CleanPhoto):
                refused.append(None)
                yield photo.content
            else:
                refused.append(photo)

    with closing(model.look(clean_contents(), are_many=len(photos) > 1)) as looked:
        for look in looked:
            while (refusal := refused.popleft()) is not None:
                yield refusal
            yield look
    for refusal in refused:
        assert refusal is not None
        yield refusal


def _cleaned(model: InProcessModel, photos: Sequence[bytes]) -> Iterator[CleanPhoto | NotAPhoto]:
    """Yield each photo without its private metadata, or its refusal, in order, as bronze does."""
    limits = model.limits
    fitting = (photo for photo in photos if len(photo) <= limits.max_bytes)
    bounds = ProcessLimits(limits.max_bytes, limits.decode_seconds, limits.decoder_memory)
    with closing(cleaned(fitting, bounds)) as clean_photos:
        for photo in photos:
            is_fitting = len(photo) <= limits.max_bytes
            yield next(clean_photos) if is_fitting else too_large(limits.max_bytes)
