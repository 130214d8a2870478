"""What results mean: from the table of results to effects with verdicts, power, warnings, and all that a `Study` holds.

Computes with the functions of `ablation.analysis`, which know arrays only; `ablation.report` and the console tell it.
"""
