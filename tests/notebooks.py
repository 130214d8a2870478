"""A notebook executed as a person does who runs all cells, in a folder of its own; every warning there is an error.

python tests/notebooks.py docs/notebook.ipynb     writes its outputs anew
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

STRICT = "import warnings; warnings.simplefilter('error'); warnings.filterwarnings('default', module='ipykernel')"


def executed(path: Path, folder: Path) -> Any:
    """The notebook with the outputs of all its cells, which are run in that folder; raises where one fails."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    environment = {**os.environ, "PYTHONPATH": str(path.resolve().parent.parent)}
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    del notebook.cells[0]
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.execution_count = number
        cell.metadata.pop("execution", None)  # times
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


if __name__ == "__main__":
    file = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        made = executed(file, Path(place))
    nbformat.write(made, file)
