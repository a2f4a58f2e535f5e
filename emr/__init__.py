"""The pipeline on a cluster of AWS EMR: its cost plan, its package, its policies and the cluster itself."""
