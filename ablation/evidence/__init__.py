"""The evidence room: what results mean. From the table of results to effects, and to whatever else a reader asks.

Computes with the functions of `ablation.analysis`, which know arrays only; `ablation.report` and the console tell it.
"""
