"""The role by which EMR makes nodes in EC2 and ends them."""

from __future__ import annotations

from conf.settings import EmrSettings
from emr import account
from emr.account import MANAGED, Account
from emr.iam_statements import Statement, pass_role, statement

DESCRIBED = (
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


def permissions(own: EmrSettings, at: Account) -> list[Statement]:
    """What EMR needs to make and end nodes. Drawn from AWS' AmazonEMRServicePolicy_v2, without placement
    groups, reservations, endpoints and the older scaling, and with our account, subnets and nodes' role."""
    requested = {"StringEquals": {f"aws:RequestTag/{MANAGED}": "true"}}
    tagged = {"StringEquals": {f"aws:ResourceTag/{MANAGED}": "true"}}
    created = {
        "StringEquals": {
            "ec2:CreateAction": [
                "RunInstances",
                "CreateFleet",
                "CreateLaunchTemplate",
                "CreateNetworkInterface",
            ]
        }
    }
    group_created = {
        "StringEquals": {
            f"aws:RequestTag/{MANAGED}": "true",
            "ec2:CreateAction": "CreateSecurityGroup",
        }
    }
    start = ["ec2:RunInstances", "ec2:CreateFleet"]
    template = ["ec2:CreateLaunchTemplate", "ec2:CreateLaunchTemplateVersion"]

    def ec2(*kinds: str) -> list[str]:
        return [at.arn("ec2", f"{kind}/*") for kind in kinds]

    made = ("instance", "volume", "network-interface", "launch-template")
    subnets = [at.arn("ec2", f"subnet/{subnet}") for subnet in own.subnets] or ec2("subnet")
    image = f"arn:aws:ec2:{at.region}::image/ami-*"
    return [
        statement("SeeTheNetwork", DESCRIBED, ["*"]),
        statement("SeeTheVpc", ["ec2:DescribeVpcAttribute"], ec2("vpc")),
        statement("NodesInOurSubnets", [*start, *template, "ec2:CreateNetworkInterface"], subnets),
        statement(
            "NodesInItsGroups",
            [*start, *template, "ec2:CreateNetworkInterface"],
            ec2("security-group"),
            when=tagged,
        ),
        statement("TaggedNodes", start, ec2("instance", "volume"), when=requested),
        statement(
            "TaggedTemplates", ["ec2:CreateLaunchTemplate"], ec2("launch-template"), when=requested
        ),
        statement(
            "NodesByItsTemplates",
            [*start, "ec2:CreateLaunchTemplateVersion"],
            ec2("launch-template"),
            when=tagged,
        ),
        statement(
            "WhatNodesNeed", [*start, *template], [*ec2("network-interface", "fleet"), image]
        ),
        statement(
            "TaggedInterfaces",
            ["ec2:CreateNetworkInterface"],
            ec2("network-interface"),
            when=requested,
        ),
        statement("TagWhatItMakes", ["ec2:CreateTags"], ec2(*made), when=created),
        statement("TagWhatIsIts", ["ec2:CreateTags", "ec2:DeleteTags"], ec2(*made), when=tagged),
        statement(
            "EndInstances",
            ["ec2:ModifyInstanceAttribute", "ec2:TerminateInstances"],
            ec2("instance"),
            when=tagged,
        ),
        statement(
            "EndTemplates", ["ec2:DeleteLaunchTemplate"], ec2("launch-template"), when=tagged
        ),
        statement(
            "EndInterfaces", ["ec2:DeleteNetworkInterface"], ec2("network-interface"), when=tagged
        ),
        statement(
            "TaggedGroups", ["ec2:CreateSecurityGroup"], ec2("security-group"), when=requested
        ),
        statement("GroupsInTheVpc", ["ec2:CreateSecurityGroup"], ec2("vpc")),
        statement("TagGroups", ["ec2:CreateTags"], ec2("security-group"), when=group_created),
        statement(
            "RulesOfItsGroups",
            [
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ],
            ec2("security-group"),
            when=tagged,
        ),
        pass_role("GiveNodesTheirRole", account.node_role(own), at, "ec2.amazonaws.com"),
        *_disks(at),
    ]


def _disks(at: Account) -> list[Statement]:
    """Encrypted disks: the data keys, and a grant by which EC2 goes on using them."""
    actions = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ]
    granted = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        statement("KeysOfDisks", actions, [at.key]),
        statement("GrantsToDisks", ["kms:CreateGrant"], [at.key], when=granted),
    ]
