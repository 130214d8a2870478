"""Figures: the only home of matplotlib. Each takes an info value, computed elsewhere, and returns a `Figure`.

No pyplot and no global state: figures are objects, settings live in `style.drawing()`. Photographs (`preview`) are
laid out by Pillow instead, pixel for pixel. Nothing here reads a file.
"""
