"""Training on several machines, by Dask: the same cells, handed to Dask workers, and their records brought home.

    crew.py        what a sweep calls: hands out runs, follows them, and takes up what comes back
    address.py     what `--cluster` may be
    connection.py  the cluster: found or started, its versions compared with ours
    answers.py     what comes back is checked before it is believed
    session.py     what both ends know of one sweep; what of the caller's files a run needs
    task.py        what runs on a Dask worker: it leads one of our own worker processes through a run
    machine.py     where files lie on that machine, and how they get there

Dask's client, and not joblib's Dask backend: a task that lost its machine is given to another one by the scheduler, a
result is taken up when it is there, a task can be bound to a GPU or cancelled by itself, and events come in between;
joblib's backend has batches and none of these. The caller alone writes into its runs folder, or a worker does that
shares it and its locks.
"""
