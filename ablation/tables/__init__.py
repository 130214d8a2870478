"""The tables room: effects as files for other tools and for a paper. CSV, JSON, LaTeX and Markdown."""
