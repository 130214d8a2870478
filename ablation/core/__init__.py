"""The ground floor: errors, checked values, seeds, durable files, and words for numbers. Imports no other package of ours."""
