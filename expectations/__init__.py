"""Gates between the layers: the suites (JSON, one a table) and the code that judges a chunk by them."""
