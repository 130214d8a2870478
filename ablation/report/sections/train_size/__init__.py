"""How much training data is an augmentation worth?"""
