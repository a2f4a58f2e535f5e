"""The permissions of the role with which EMR creates nodes in EC2 and ends them.

They are those of AWS' AmazonEMRServicePolicy_v2, without placement groups, reservations, endpoints and the
older scaling, and limited to our account, our subnets and the role of our nodes.
"""

from __future__ import annotations

from typing import Any

from conf.settings import EmrSettings
from emr import account
from emr.account import MANAGED, Account
from emr.iam_statements import Statement, pass_role, statement

DESCRIBE_NETWORK = (
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumeStatus",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
)

START = ("ec2:RunInstances", "ec2:CreateFleet")
TEMPLATE = ("ec2:CreateLaunchTemplate", "ec2:CreateLaunchTemplateVersion")
INTERFACE = "ec2:CreateNetworkInterface"

TAGGABLE = ("instance", "volume", "network-interface", "launch-template")
"""The kinds of EC2 resources that EMR tags when it creates them."""

REQUESTED = {"StringEquals": {f"aws:RequestTag/{MANAGED}": "true"}}
"""The condition that a request gives the new resource EMR's tag."""

TAGGED = {"StringEquals": {f"aws:ResourceTag/{MANAGED}": "true"}}
"""The condition that a resource has EMR's tag."""


def permissions(emr_settings: EmrSettings, aws_account: Account) -> list[Statement]:
    """Return the statements of what EMR may do to create and end nodes."""
    node_role = account.node_role(emr_settings)
    return [
        *_network(aws_account),
        *_creation(emr_settings, aws_account),
        *_tags(aws_account),
        *_termination(aws_account),
        *_security_groups(aws_account),
        pass_role("GiveNodesTheirRole", node_role, aws_account, "ec2.amazonaws.com"),
        *_disks(aws_account),
    ]


def _ec2(aws_account: Account, *kinds: str) -> list[str]:
    """Return the ARN pattern of each kind of EC2 resource."""
    return [aws_account.arn("ec2", f"{kind}/*") for kind in kinds]


def _network(aws_account: Account) -> list[Statement]:
    """Return the rights to look at the network in which nodes start."""
    vpcs = _ec2(aws_account, "vpc")
    return [
        statement("SeeTheNetwork", DESCRIBE_NETWORK, ["*"]),
        statement("SeeTheVpc", ["ec2:DescribeVpcAttribute"], vpcs),
    ]


def _creation(emr_settings: EmrSettings, aws_account: Account) -> list[Statement]:
    """Return the rights to create nodes, with what EC2 needs for them.

    EC2 checks each call once for every kind of resource that it touches, so each kind has a statement with a
    condition of its own. Without `emr.subnets` all subnets of the account are allowed.
    """
    subnets = [aws_account.arn("ec2", f"subnet/{subnet}") for subnet in emr_settings.subnets]
    image = f"arn:aws:ec2:{aws_account.region}::image/ami-*"
    groups = _ec2(aws_account, "security-group")
    nodes = _ec2(aws_account, "instance", "volume")
    templates = _ec2(aws_account, "launch-template")
    interfaces = _ec2(aws_account, "network-interface")
    others = [*_ec2(aws_account, "network-interface", "fleet"), image]
    all_three = [*START, *TEMPLATE, INTERFACE]
    by_template = [*START, "ec2:CreateLaunchTemplateVersion"]
    new_template = ["ec2:CreateLaunchTemplate"]
    return [
        statement("NodesInOurSubnets", all_three, subnets or _ec2(aws_account, "subnet")),
        statement("NodesInItsGroups", all_three, groups, condition=TAGGED),
        statement("TaggedNodes", START, nodes, condition=REQUESTED),
        statement("TaggedTemplates", new_template, templates, condition=REQUESTED),
        statement("NodesByItsTemplates", by_template, templates, condition=TAGGED),
        statement("WhatNodesNeed", [*START, *TEMPLATE], others),
        statement("TaggedInterfaces", [INTERFACE], interfaces, condition=REQUESTED),
    ]


def _tags(aws_account: Account) -> list[Statement]:
    """Return the rights to tag resources when they are created, and those that have EMR's tag already."""
    resources = _ec2(aws_account, *TAGGABLE)
    creating = ["RunInstances", "CreateFleet", "CreateLaunchTemplate", "CreateNetworkInterface"]
    created = {"StringEquals": {"ec2:CreateAction": creating}}
    retag = ["ec2:CreateTags", "ec2:DeleteTags"]
    return [
        statement("TagWhatItMakes", ["ec2:CreateTags"], resources, condition=created),
        statement("TagWhatIsIts", retag, resources, condition=TAGGED),
    ]


def _termination(aws_account: Account) -> list[Statement]:
    """Return the rights to end what has EMR's tag."""
    endings: dict[str, tuple[str, list[str]]] = {
        "EndInstances": ("instance", ["ec2:ModifyInstanceAttribute", "ec2:TerminateInstances"]),
        "EndTemplates": ("launch-template", ["ec2:DeleteLaunchTemplate"]),
        "EndInterfaces": ("network-interface", ["ec2:DeleteNetworkInterface"]),
    }
    return [
        statement(sid, actions, _ec2(aws_account, kind), condition=TAGGED)
        for sid, (kind, actions) in endings.items()
    ]


def _security_groups(aws_account: Account) -> list[Statement]:
    """Return the rights to create security groups with EMR's tag, and to change the rules of these."""
    groups, vpcs = _ec2(aws_account, "security-group"), _ec2(aws_account, "vpc")
    create, tag = ["ec2:CreateSecurityGroup"], ["ec2:CreateTags"]
    rules = [
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
    ]
    created: dict[str, dict[str, Any]] = {
        "StringEquals": {
            f"aws:RequestTag/{MANAGED}": "true",
            "ec2:CreateAction": "CreateSecurityGroup",
        }
    }
    return [
        statement("TaggedGroups", create, groups, condition=REQUESTED),
        statement("GroupsInTheVpc", create, vpcs),
        statement("TagGroups", tag, groups, condition=created),
        statement("RulesOfItsGroups", rules, groups, condition=TAGGED),
    ]


def _disks(aws_account: Account) -> list[Statement]:
    """Return the rights for encrypted disks: data keys, and a grant with which EC2 goes on using them."""
    actions = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ]
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    key = [aws_account.key_arn]
    return [
        statement("KeysOfDisks", actions, key),
        statement("GrantsToDisks", ["kms:CreateGrant"], key, condition=for_aws),
    ]
