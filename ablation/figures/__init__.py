"""Figures: the only home of matplotlib. Each takes an info value, computed elsewhere, and returns a `Figure`.

No pyplot and no global state: figures are objects, settings live in `style.drawing()`. Photographs (`samples`) are
strips of pixels instead. Nothing here reads a file.
"""
