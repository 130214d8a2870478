"""Whatever shows any section or table: HTML, and tables as files."""
