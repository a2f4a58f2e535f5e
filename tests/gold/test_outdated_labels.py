"""Classifiers that learned labels which were corrected since their training are named."""

import pytest

from gold import outdated_labels
from lake.chunks import Chunk, ChunkState
from lake.enums import LABELLING, SILVER, ModelKind, ModelStatus


def chunk(number, photos, layer=LABELLING, state=ChunkState.PUBLISHED):
    return Chunk(number=number, layer=layer, state=state, photos=photos)


def version(number, status=ModelStatus.CHAMPION, kind=ModelKind.CLASSIFIER):
    return {"version": f"classifier-{number}", "kind": kind, "status": status, "chunk": number}


CHUNKS = [
    chunk(2, 7),
    chunk(5, 1_200),
    chunk(6, 3),
    chunk(7, 9, layer=SILVER),
    chunk(8, 9, state=ChunkState.STAGED),
]


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        ([version(4)], ["1,203"]),
        ([version(6)], []),
        ([version(4, ModelStatus.CANDIDATE), version(4, ModelStatus.RETIRED)], []),
        ([version(4, kind=ModelKind.PCA)], []),
        ([version(4), version(5)], ["1,203", "3"]),
    ],
)
def test_champions_that_were_trained_before_a_labelling_are_named(versions, told):
    found = outdated_labels.sentences(CHUNKS, versions)
    assert found == [
        f"{row['version']} learned earlier labels: {photos} were corrected since its training; run.py train "
        f"learns those of now"
        for row, photos in zip(versions, told, strict=False)
    ]
    assert len(found) == len(told)
