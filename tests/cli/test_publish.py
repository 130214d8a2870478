"""`ablation report --publish`: the report is where people look, stays there, and says when it is old."""

import shutil

import mlflow
import pytest
from commands import ablation


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # of SQLAlchemy, by MLflow's own code
def test_a_report_is_put_into_mlflow_and_stays_there(finished, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "project")
    lost = min((folder / "runs" / "small").glob("*/record.json")).parent
    shutil.copytree(lost, tmp_path / "kept")
    shutil.rmtree(lost)
    command = ("report", "small", "--section", "effects", "--no-pdf", "--out", "reports/small")
    assert not (folder / "mlflow.db").exists(), ablation(folder, *command)

    code, out, err = ablation(folder, *command, "--publish")
    assert (code, "warning: " in err) == (0, False)
    uri = f"sqlite:///{folder}/mlflow.db"
    assert f"published it to {uri}; `ablation ui` shows it\n" in out
    stored = mlflow.MlflowClient(uri)
    where = [stored.get_experiment_by_name("small").experiment_id]

    def own():
        (run,) = stored.search_runs(where, "tags.`ablation.kind` = 'report'")
        return run

    first = own()
    note = first.data.tags["mlflow.note.content"]
    assert "| crop " in note
    artifacts = {artifact.path for artifact in stored.list_artifacts(first.info.run_id)}
    assert artifacts == {"report.html", "evidence.json", "tables", "figures"}
    runs = stored.search_runs(where, "tags.`ablation.kind` = 'run'")
    assert len(runs) == 5
    assert all(run.data.tags["ablation.verdict"] for run in runs)

    assert ablation(folder, *command, "--publish")[0] == 0
    assert own().to_dictionary() == first.to_dictionary()

    shutil.copytree(tmp_path / "kept", lost)
    assert ablation(folder, "run", "small")[0] == 0
    assert own().info.run_id == first.info.run_id
    line, _, rest = own().data.tags["mlflow.note.content"].partition("\n\n")
    assert line == "The report is of 5 of 6 runs; `ablation report --publish` renews it."
    assert rest == note
    assert {artifact.path for artifact in stored.list_artifacts(first.info.run_id)} == artifacts

    assert ablation(folder, *command, "--publish")[0] == 0
    assert not own().data.tags["mlflow.note.content"].startswith("The report is of")
    assert len(stored.search_runs(where, "tags.`ablation.verdict` = 'baseline'")) == 3


def test_a_report_of_several_experiments_is_published_by_none(finished):
    code, _, err = ablation(finished.folder, "report", "small", "small", "--publish")
    assert code != 0
    assert "--publish" in err
