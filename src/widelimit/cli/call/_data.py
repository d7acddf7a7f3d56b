"""[data]: arrays to train on and arrays held out, scaled by what is trained on."""

import hashlib
from typing import Any

import numpy as np

from widelimit.problem.data import Scaling, Table, read_table, split

from ..parse._sections import DataSection

Arrays = tuple[np.ndarray, np.ndarray]


def read_data(section: DataSection) -> tuple[Arrays, Arrays | None, dict[str, Any], tuple[str, ...]]:
    """(train, held out or None, facts, notices); the scaling is fitted on the train part alone.

    Raises `ValueError` for data that cannot be read or learned from.
    """
    table = read_table(section.source, target=section.target, classes=section.classes, features=section.features)
    train, test = (table, None) if section.held_out == 0 else split(table, section.held_out, section.seed)
    inputs = Scaling.fit(train.features, section.scaling, names=table.feature_names)
    targets = Scaling.fit(train.target, section.target_scaling, names=table.target_name.split(", "))
    if targets.constant:
        raise ValueError(f"the target {targets.constant[0]!r} is the same in all rows left to train on.")

    def scaled(part: Table) -> Arrays:
        return inputs(part.features), targets(part.target)

    arrays = scaled(train), None if test is None else scaled(test)
    facts = {
        "source": table.source,
        "sha256": table.sha256,
        "arrays_sha256": _digest(*arrays[0], *(arrays[1] or ())),
        "rows": len(train),
        "held_out_rows": 0 if test is None else len(test),
        "features": list(table.feature_names),
        "target": table.target_name,
        "classes": list(table.classes),
        "constant_features": list(inputs.constant),
    }
    notices = () if inputs.notice is None else (f"{table.source}: {inputs.notice}",)
    return *arrays, facts, notices


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array, "<f8").tobytes())
    return digest.hexdigest()
