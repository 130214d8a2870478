"""Networks: what may be asked of them (no torch needed) in `names`, `own` and `weights_file`; built in `networks`.

A network is put together in this order: `networks` draws it, `stems` changes its beginning, `weights` fills it,
`stochastic_depth` and `freezing` say how it trains. `macs`, `counts` and `summary` tell what it costs.
"""
