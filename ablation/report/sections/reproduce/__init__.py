"""How is all of this reproduced?"""
