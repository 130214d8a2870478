"""A report is computed without matplotlib: it takes a second to import, and a terminal draws nothing."""

import pkgutil
import subprocess
import sys

import ablation.report


def test_no_module_of_the_report_loads_matplotlib_before_it_draws():
    modules = [module.name for module in pkgutil.walk_packages(ablation.report.__path__, "ablation.report.")]
    assert {"ablation.report.contents", "ablation.report.data_check.page", "ablation.report.render.html"} <= {*modules}
    code = f"import sys, {', '.join(modules)}; print([name for name in sys.modules if 'matplotlib' in name])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
