"""Statements of IAM policies, as their JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emr.account import Account

Statement = dict[str, Any]
Document = dict[str, Any]


def document(statements: Iterable[Statement]) -> Document:
    """A policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    effect: str = "Allow",
    when: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    """One grant, or one denial."""
    made: Statement = {
        "Sid": sid,
        "Effect": effect,
        "Action": list(actions),
        "Resource": list(resources),
    }
    return made | ({"Condition": dict(when)} if when else {})


def pass_role(sid: str, name: str, at: Account, service: str) -> Statement:
    """That a role may be handed to one service of AWS, and to nothing else."""
    when = {"StringEquals": {"iam:PassedToService": service}}
    return statement(sid, ["iam:PassRole"], [at.role(name)], when=when)
