"""Bronze: from landing objects to raw photos, with private metadata cut and subjects pseudonymised."""
