"""The HTML report of a lake, the sums that must agree in it, and the metrics of a run."""
