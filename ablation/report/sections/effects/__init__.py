"""Which recipes are better than the baseline?"""
