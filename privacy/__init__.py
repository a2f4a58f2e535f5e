"""Privacy: who was held where and when, erasure with proof, tombstones."""
