"""Networks: what may be chosen of them (no torch needed) in `names`, `own` and `weights_file`; built in `networks`.

A network is put together in this order: `networks` draws it, `weights` fills it, and `freezing` says what of it learns.
"""
