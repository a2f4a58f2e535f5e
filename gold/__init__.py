"""Gold: running moments of the embeddings, exact PCA versions, and the features that they give."""
