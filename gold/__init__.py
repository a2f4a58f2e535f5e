"""Gold: running moments of the embeddings, exact PCA versions with their features and drift, and
classifiers."""
