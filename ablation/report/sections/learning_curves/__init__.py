"""How did training go, epoch by epoch?"""
