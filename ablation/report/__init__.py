"""The report room: what was found, told on one page. See `build` for the entry, `wording` for effects in words."""

from ablation.report.render.digest import input_digest as input_digest
from ablation.report.render.digest import is_current as is_current
from ablation.report.render.write import write_report as write_report
