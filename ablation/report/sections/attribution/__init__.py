"""What does each operation of a recipe contribute?"""
