"""The report room: what was found, told on one page. See `build` for the entry, `wording` for effects in words."""

from ablation.report.build import write_report as write_report
from ablation.report.freshness import input_digest as input_digest
from ablation.report.freshness import is_current as is_current
