"""What the lake does for the people on its photos: audits, erasure with proof, tombstones, longest ages, and
restores that bring back nothing that was erased."""
