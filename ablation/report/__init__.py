"""What the results mean, section by section (`contents`), and whatever shows any section (`render`)."""

from ablation.report.render.digest import input_digest as input_digest
from ablation.report.render.write import write_report as write_report
