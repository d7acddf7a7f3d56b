"""The job that docs/sweep.md asks of Slurm; where dask-jobqueue is not installed there is nothing to ask."""

import pytest


def test_the_job_script_of_the_docs() -> None:
    jobqueue = pytest.importorskip("dask_jobqueue")
    asked = {"cores": 1, "processes": 1, "memory": "8GB", "walltime": "04:00:00"}
    with jobqueue.SLURMCluster(**asked, scheduler_options={"dashboard_address": ":0"}) as cluster:
        script = cluster.job_script()
        assert cluster.scheduler_address in script
    for line in ("#SBATCH -n 1", "#SBATCH --cpus-per-task=1", "#SBATCH --mem=8G", "#SBATCH -t 04:00:00"):
        assert line in script.splitlines()
    assert "--nthreads 1 " in script
