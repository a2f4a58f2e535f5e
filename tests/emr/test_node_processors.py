"""What the names of instance types tell of the processors of a cluster's nodes."""

import pytest

from conf.errors import BadInput
from conf.settings import Settings
from emr.node_processors import architecture, check


def nodes(*types):
    own = Settings.load("emr", environment={}, overrides=[]).emr
    return own.model_copy(update={"core": types[:1], "task": types[1:]})


def model(*overrides):
    own = [f"model.{each}" for each in overrides]
    return Settings.load("local", environment={}, overrides=own).model


@pytest.mark.parametrize(
    ("types", "processor"),
    [
        (["m5.xlarge", "c6i.large", "g5.xlarge", "m5a.xlarge"], "x86_64"),
        (["m7g.xlarge", "c6gn.large", "im4gn.large", "a1.large"], "aarch64"),
    ],
)
def test_the_processors_follow_from_the_instance_types(types, processor):
    assert architecture(nodes(*types)) == processor


def test_two_kinds_of_processors_are_told():
    with pytest.raises(BadInput, match="name types of one kind"):
        architecture(nodes("m5.xlarge", "m7g.xlarge"))


@pytest.mark.parametrize(
    ("precision", "lacking", "having"),
    [
        (
            "bfloat16",
            [
                "m5.xlarge",
                "c6i.large",
                "r6a.large",
                "m5dn.large",
                "m4.large",
                "m7g.xlarge",
                "a1.large",
            ],
            ["m7i.xlarge", "m7a.large", "c7a.large", "r7iz.large", "c8i.large", "m7i-flex.large"],
        ),
        (
            "int8",
            ["m6a.xlarge", "c5a.large", "r5ad.large", "m4.large", "c6g.large"],
            ["m6i.xlarge", "c6id.large", "m7a.large", "c7i.large", "m5.xlarge", "g5.xlarge"],
        ),
        ("float32", [], ["m4.large", "m6a.large", "m7g.large"]),
    ],
)
def test_a_precision_that_the_nodes_lack_is_refused_before_they_cost_anything(
    precision, lacking, having
):
    wanted = model(f"precision={precision}")
    for name in lacking:
        with pytest.raises(BadInput) as refused:
            check(wanted, nodes("m7i.xlarge", name))
        told = str(refused.value)
        assert told.startswith(f"emr.core or emr.task names {name}, whose processor can't run ")
        assert "set model.precision=float32" in told
        with pytest.raises(BadInput):
            check(wanted, nodes(name))
    for name in having:
        check(wanted, nodes(name))


def test_pixels_that_graviton_has_not_are_refused():
    check(model("pixels=hamming"), nodes("m7g.xlarge"))
    check(model("pixels=as_before"), nodes("m7g.xlarge"))  # of a lake of before
    check(model("pixels=bicubic"), nodes("m7i.xlarge"))
    with pytest.raises(BadInput, match=r"names m7g\.xlarge, .* set model\.pixels=hamming"):
        check(model("pixels=bicubic"), nodes("m7g.xlarge"))
