"""The ground floor: errors, checked values, seeds, durable files, words for numbers. Imports nothing else of ours."""
