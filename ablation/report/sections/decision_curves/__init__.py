"""Whose decisions are worth most? Decision curves of every recipe, and the areas under them."""
