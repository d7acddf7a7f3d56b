"""The large arrays of a trajectory on disk: written a save point at a time, read a save point at a time."""

import hashlib
import pathlib
from typing import Any

import numpy as np

# Numbers in a chunk of a store.
_CHUNK = 2**20


def mark(row: np.ndarray) -> str:
    """A hash of the numbers of one save point."""
    return hashlib.sha256(f"{row.shape}{row.dtype}".encode() + row.tobytes()).hexdigest()


def marks(array: "np.ndarray | Rows") -> list[str]:
    """The hash of each row."""
    if isinstance(array, Rows):
        return array.marks
    if len(array) and array.strides[0] == 0:
        return [mark(array[0])] * len(array)
    return [mark(row) for row in array]


class Rows(np.lib.mixins.NDArrayOperatorsMixin):
    """An array [T, ...] on disk. A row is read, and checked, when it is asked for; NumPy sees an array.

    What needs all of it at once (a sum, a plot of all times) reads all of it: take rows, `rows[-1]`, where memory is
    short.

    - `store`: the folder of a Zarr group; `name`: the array in it; `marks`: the hashes of its T rows.
    """

    def __init__(self, store: pathlib.Path, name: str, marks: list[str]) -> None:
        self.store, self.name, self.marks = store, name, marks
        array = self._open()
        self.shape, self.dtype = (len(marks), *array.shape[1:]), np.dtype(array.dtype)
        if array.shape[0] < len(marks):
            raise ValueError(f"{store}: {name} has {array.shape[0]} rows of {len(marks)}.")

    def _open(self) -> Any:
        import zarr

        return zarr.open_array(str(self.store), path=self.name, mode="r")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Rows({self.name} of {self.store}, shape {self.shape}, {self.dtype})"

    def _row(self, index: int) -> np.ndarray:
        """Raises `ValueError` where it is not what was written."""
        try:
            row = np.asarray(self._open()[index])
        except Exception as error:
            # Zarr and its codecs each have errors of their own for a damaged store.
            raise ValueError(f"{self.store} is damaged: {self.name}, save point {index} ({error}).") from error
        if mark(row) != self.marks[index]:
            # Zarr fills a missing piece with zeros and says nothing.
            raise ValueError(f"{self.store} is damaged: {self.name}, save point {index}, is not what was written.")
        return row

    def __getitem__(self, index: Any) -> Any:
        first, *rest = index if isinstance(index, tuple) and index else (index,)
        if isinstance(first, int | np.integer):
            row = self._row(range(len(self))[first])
            return row[tuple(rest)] if rest else row
        if isinstance(first, slice):
            rows = range(len(self))[first]
            if rows:
                return np.stack([self._row(i)[tuple(rest)] for i in rows])
        return np.asarray(self)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = np.empty(self.shape, self.dtype)
        for i in range(len(self)):
            whole[i] = self._row(i)
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*(np.asarray(x) if isinstance(x, Rows) else x for x in inputs), **options)

    def __getattr__(self, name: str) -> Any:
        # sum, mean, reshape, astype, ...: those of the array.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


def create(store: pathlib.Path, name: str, shape: tuple[int, ...], dtype: np.dtype, axes: tuple[str, ...]) -> None:
    """Make room for an array [T, ...] in a store. Raises `OSError` where it cannot be written."""
    import zarr

    rest = shape[2:]
    most = max(1, _CHUNK // max(int(np.prod(rest)), 1))
    chunks = (1, *(max(1, min(n, most)) for n in shape[1:2]), *(max(1, n) for n in rest))
    group = zarr.open_group(str(store), mode="a")
    group.create_array(name, shape=shape, dtype=dtype, chunks=chunks, dimension_names=axes, overwrite=True)


def put(store: pathlib.Path, name: str, index: int, row: np.ndarray) -> str:
    """Write one row; returns its hash. Raises `OSError` where it cannot be written."""
    import zarr

    zarr.open_array(str(store), path=name, mode="r+")[index] = row
    return mark(np.asarray(row))


def cut(store: pathlib.Path, name: str, length: int) -> None:
    """Keep the first rows."""
    import zarr

    array = zarr.open_array(str(store), path=name, mode="r+")
    if array.shape[0] != length:
        array.resize((length, *array.shape[1:]))
