"""MLflow, which no other package of ours imports: the client, the runs that are shown there, and its own pages."""
