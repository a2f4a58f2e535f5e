"""EMR: the plan, the package, the policies, and the cluster that runs the layers."""
