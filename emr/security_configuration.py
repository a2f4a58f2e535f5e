"""The security configuration of a cluster: encryption at rest, TLS between nodes, and only IMDSv2."""

from __future__ import annotations

import hashlib
import json

from conf.errors import BadInput
from conf.settings import EmrSettings
from lake import aws
from lake.storage.addresses import is_s3


def ensure_configuration(emr_settings: EmrSettings, key: str) -> str:
    """Return the name of these settings' security configuration, which is created where it doesn't exist.

    EMR can't change a security configuration, so its name ends in a hash of its content. `key` is the ARN of
    the KMS key.
    """
    content = configuration_json(emr_settings, key)
    name = f"{emr_settings.name}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    client = aws.client("emr", emr_settings.region)
    with aws.asking(f"the security configuration {name}"):
        try:
            client.describe_security_configuration(Name=name)
        except client.exceptions.InvalidRequestException:
            client.create_security_configuration(Name=name, SecurityConfiguration=content)
    return name


def check_certificates(emr_settings: EmrSettings) -> None:
    """Raise BadInput where the settings name no certificates, without which nodes can't use TLS."""
    if is_s3(emr_settings.certificates):
        return
    address = f"{emr_settings.artifacts.rstrip('/')}/certificates.zip"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 825 "
        f"-subj '/CN=*.{emr_settings.region}.compute.internal' "
        f"-keyout privateKey.pem -out certificateChain.pem "
        f"&& cp certificateChain.pem trustedCertificates.pem "
        f"&& zip certificates.zip privateKey.pem certificateChain.pem trustedCertificates.pem "
        f"&& aws s3 cp certificates.zip {address}"
    )
    raise BadInput(
        f"emr.certificates names no zip file in S3, and TLS between nodes needs one; make it by `{command}`, "
        f"and set emr.certificates={address}."
    )


def configuration_json(emr_settings: EmrSettings, key: str) -> str:
    """Return the content of the security configuration as JSON. `key` is the ARN of the KMS key."""
    content = {
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
                    "S3Object": emr_settings.certificates,
                }
            },
        },
        "InstanceMetadataServiceConfiguration": {
            "MinimumInstanceMetadataServiceVersion": 2,
            "HttpPutResponseHopLimit": 1,
        },
    }
    return json.dumps(content, sort_keys=True)
