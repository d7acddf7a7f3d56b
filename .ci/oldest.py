"""The oldest versions that pyproject.toml allows, one requirement a line: what `make test-oldest` installs."""

import pathlib
import re
import tomllib

PROJECT = tomllib.loads((pathlib.Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def oldest(requirement: str) -> str:
    """`jax>=0.8` as `jax==0.8`. Raises `ValueError` for a requirement without a lower bound."""
    found = re.fullmatch(r"([\w.-]+)>=([\d.]+)(?:,.*)?", requirement)
    if found is None:
        raise ValueError(f"{requirement}: says no oldest version")
    return f"{found[1]}=={found[2]}"


if __name__ == "__main__":
    print(*map(oldest, PROJECT["dependencies"]), sep="\n")
