"""Does the effect of a recipe depend on the optimizer, or on what else varies?"""
