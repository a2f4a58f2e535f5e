"""Statements and documents of IAM policies, in the form of their JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emr.account import Account

Statement = dict[str, Any]
"""One statement of a policy."""

Document = dict[str, Any]
"""A whole policy."""


def document(statements: Iterable[Statement]) -> Document:
    """Return a policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    effect: str = "Allow",
    condition: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    """Return one statement with the id `sid`, which allows actions or, with `effect="Deny"`, denies them."""
    fields: Statement = {
        "Sid": sid,
        "Effect": effect,
        "Action": list(actions),
        "Resource": list(resources),
    }
    return fields | ({"Condition": dict(condition)} if condition else {})


def pass_role(sid: str, name: str, aws_account: Account, service: str) -> Statement:
    """Return the right to pass the role `name` to one service of AWS, and to no other."""
    to_service = {"StringEquals": {"iam:PassedToService": service}}
    return statement(sid, ["iam:PassRole"], [aws_account.role_arn(name)], condition=to_service)
