"""The security configuration of a cluster: encryption at rest and between nodes, and IMDSv2 alone."""

from __future__ import annotations

import hashlib
import json

from conf.errors import BadInput
from conf.settings import EmrSettings
from lake import aws
from lake.storage.addresses import is_s3


def configured(own: EmrSettings, key: str) -> str:
    """The name of the security configuration of these settings; it is made where it isn't there.

    Its name ends in a hash of what it says: EMR can't change one. `key`: the ARN of the KMS key.
    """
    content = configuration(own, key)
    name = f"{own.name}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    emr = aws.client("emr", own.region)
    with aws.asking(f"the security configuration {name}"):
        try:
            emr.describe_security_configuration(Name=name)
        except emr.exceptions.InvalidRequestException:
            emr.create_security_configuration(Name=name, SecurityConfiguration=content)
    return name


def check_certificates(own: EmrSettings) -> None:
    """Raises BadInput where the settings name no certificates: nodes would speak without TLS."""
    if is_s3(own.certificates):
        return
    place = f"{own.artifacts.rstrip('/')}/certificates.zip"
    raise BadInput(
        f"emr.certificates names no zip file in S3, and TLS between nodes needs one: make it by `openssl req "
        f"-x509 -newkey rsa:2048 -nodes -days 825 -subj '/CN=*.{own.region}.compute.internal' -keyout "
        f"privateKey.pem -out certificateChain.pem && cp certificateChain.pem trustedCertificates.pem && zip "
        f"certificates.zip privateKey.pem certificateChain.pem trustedCertificates.pem && aws s3 cp "
        f"certificates.zip {place}`, and set emr.certificates={place}."
    )


def configuration(own: EmrSettings, key: str) -> str:
    """What it says, as JSON."""
    said = {
        "EncryptionConfiguration": {
            "EnableAtRestEncryption": True,
            "AtRestEncryptionConfiguration": {
                "S3EncryptionConfiguration": {"EncryptionMode": "SSE-KMS", "AwsKmsKey": key},
                "LocalDiskEncryptionConfiguration": {
                    "EncryptionKeyProviderType": "AwsKms",
                    "AwsKmsKey": key,
                    "EnableEbsEncryption": True,
                },
            },
            "EnableInTransitEncryption": True,
            "InTransitEncryptionConfiguration": {
                "TLSCertificateConfiguration": {
                    "CertificateProviderType": "PEM",
                    "S3Object": own.certificates,
                }
            },
        },
        "InstanceMetadataServiceConfiguration": {
            "MinimumInstanceMetadataServiceVersion": 2,
            "HttpPutResponseHopLimit": 1,
        },
    }
    return json.dumps(said, sort_keys=True)
