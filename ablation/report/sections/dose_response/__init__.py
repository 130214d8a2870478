"""How strong should an operation be?"""
