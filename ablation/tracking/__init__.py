"""MLflow: the only room that imports it. The client, the runs shown there, and its own pages."""
