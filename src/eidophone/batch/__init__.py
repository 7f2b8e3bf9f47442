"""Many runs from one file: job files, workers, clusters, resume, and a manifest of the results."""
