"""The gates between the layers: suites of expectations (one JSON file a table) and the code that judges by
them."""
