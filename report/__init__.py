"""What people see of a run and of the lake."""
