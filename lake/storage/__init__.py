"""Storage: folders of files, on this machine or in S3, and how Spark and delta-rs reach tables there."""
