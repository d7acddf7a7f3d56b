"""The sections of a problem file that are not one thing of a registry: data, time, penalties, limit, networks."""

import dataclasses
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from widelimit.numerics.registry import Entry, Registry

from ._schema import Number, Schema, Section, Shorthand, Text, Whole, as_list, misfit, model, one_of
from ._words import about, about_key, shown

Positive = Annotated[Number, Field(gt=0)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
# No machine holds more particles than this; the bound turns a slip into a sentence.
Count = Annotated[Whole, Field(ge=1, le=10**8)]
Names = Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(as_list), Shorthand(alone=True)]


_USUAL = "gradient_flow"


class DataSection(Section):
    """[data]: what to learn from."""

    source: Text
    """`sklearn:digits` (iris, wine, breast_cancer, diabetes, linnerud), or a .csv, .tsv, .xlsx, .parquet or .npz file;
    a path counts from the folder of the problem file."""
    target: Names | None = None
    """The target column, or several in a list; scikit-learn's tables know theirs."""
    classes: Annotated[tuple[Any, ...], Field(min_length=2)] | None = None
    """Keep the rows of these classes: two become y = -1 and +1, more become one column each."""
    features: Names | None = None
    """The input columns; all others than the target if left out."""
    missing: Literal["refuse", "drop", "mean", "median"] = "refuse"
    """Of missing cells: refuse them, drop their rows, or fill them by the mean or median of the rows to train on."""
    unseen: Literal["refuse", "zero"] = "refuse"
    """Of a category that only the rows held out have: refuse it, or zero in all the columns of its own."""
    categories: Annotated[tuple[Text, ...], BeforeValidator(as_list)] = ()
    """Columns of numbers that are categories."""
    decimal: Literal[".", ","] = "."
    """The mark before the decimals."""
    thousands: Literal["", ",", ".", " ", "'", "_"] = ""
    """The mark between groups of three digits."""
    separator: Literal[",", ";", "\t", "|"] | None = None
    """Of the columns of a .csv or .tsv file; a comma, or a tab."""
    sheet: Text | None = None
    """Of an Excel file; its only one if left out."""
    scaling: Literal["unit-variance", "unit-norm", "none"] = "unit-variance"
    """Of the inputs: every column to mean 0 and variance 1, or every row to length 1."""
    target_scaling: Literal["none", "unit-variance"] = "none"
    """Of a target that is a number."""
    held_out: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    """The fraction of rows that is kept for testing."""
    seed: Seed = 0
    """Which rows are held out."""

    @field_validator("classes")
    @classmethod
    def _labels(cls, classes: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        for label in classes or ():
            if not isinstance(label, str | int | float):
                raise ValueError(f"expected numbers or texts, got {shown(label)}")
        return classes

    @model_validator(mode="after")
    def _two_marks(self) -> "DataSection":
        if self.decimal == self.thousands:
            raise misfit(f"{self.thousands!r} is the mark before the decimals already", "thousands")
        return self

    @property
    def read(self) -> dict[str, Any]:
        """What `read_table` is told."""
        names = ("target", "classes", "features", "missing", "unseen", "categories", "decimal", "thousands")
        return {name: getattr(self, name) for name in (*names, "separator", "sheet")}

    @model_validator(mode="after")
    def _class_targets(self) -> "DataSection":
        if self.classes is not None and self.target_scaling != "none":
            raise misfit("classes are -1 and +1 already, so only 'none' goes", "target_scaling")
        return self


class TimeSection(Section):
    """[time]: the end, and how many save times there are (denser at the start)."""

    t1: Positive
    """The end, in mean-field time: steps times step size."""
    saves: Annotated[Whole, Field(ge=2, le=100_000)] = 65
    """How many save times there are, denser at the start."""


class PredictSection(Section):
    """[predict]: the order of the expansion that the band of each width comes from; 0 draws none."""

    order: Annotated[Whole, Field(ge=0, le=2)] = 1
    """1: of all widths of a table at once; 2: with the change of the mean, slower; 0: no band."""


class PenaltySection(Section):
    """[penalty]: the first value of each penalty under its name, `l2`, the others as `l2_blocks`."""

    needs: ClassVar[dict[str, str]]

    @model_validator(mode="after")
    def _with_strength(self) -> "PenaltySection":
        for key, main in self.needs.items():
            if getattr(self, key) is not None and getattr(self, main) is None:
                raise misfit(f"goes with {main}, which is missing", key)
        return self

    def tables(self, registry: Registry) -> list[dict[str, Any]]:
        """The penalties that are there, each as a table that its registry makes."""
        return [
            {registry.tag: entry.name}
            | {key: getattr(self, entry.name if i == 0 else f"{entry.name}_{key}") for i, key in enumerate(entry.said)}
            for entry in registry
            if getattr(self, entry.name)
        ]


class LimitSection(Section):
    """[limit]: which dynamics, and how finely. Its resolution is either given or doubled until the risk curve rests."""

    resolution: ClassVar[str]
    dynamics: str

    @property
    def asked(self) -> float | None:
        """By how much two doublings in a row may move the risk curve; None where the resolution is no count."""
        return vars(self).get("tolerance")

    @property
    def doubles(self) -> bool:
        """Whether the resolution is doubled until the risk curve rests."""
        return self.asked is not None and getattr(self, self.resolution) is None

    @model_validator(mode="after")
    def _one_way(self) -> "LimitSection":
        if self.asked is None:
            return self
        _, first, most = doubling_keys(self.resolution)
        if not self.doubles:
            for key in doubling_keys(self.resolution):
                if key in self.model_fields_set:
                    raise misfit(f"goes with doubling; with a fixed number of {self.resolution} leave it out", key)
        elif getattr(self, most) < 4 * getattr(self, first):
            least = f"4 {first} (= {4 * getattr(self, first)})"
            raise misfit(f"must be at least {least}, got {getattr(self, most)}", most)
        return self

    def stated(self) -> dict[str, Any]:
        """Every key that counts, as plain data that reads back as this section."""
        kept = self.model_dump(mode="json", exclude_none=True)
        left_out = () if self.doubles else doubling_keys(self.resolution)
        return {key: value for key, value in kept.items() if key not in left_out}


def doubling_keys(resolution: str) -> tuple[str, str, str]:
    """The keys of [limit] that say how a resolution is doubled, and go with no fixed one."""
    return "tolerance", f"first_{resolution}", f"most_{resolution}"


def resolution_of(entry: Entry) -> str | None:
    """The value that says how finely a dynamics stands for the limit; None where nothing does: it is no limit."""
    marked = (name for name, value in entry.values.items() if value.doubled or value.coarser)
    return next(marked, None)


def limit_of(schema: Schema, registry: Registry) -> Any:
    """The type of [limit]: one of the dynamics that have a resolution."""
    models = {entry.name: _limit(schema, registry, entry, key) for entry in registry if (key := resolution_of(entry))}
    return one_of(registry, models, default=_USUAL)


def _limit(schema: Schema, registry: Registry, entry: Entry, resolution: str) -> type[LimitSection]:
    # The table that names no dynamics is one of these.
    usual = entry.name == _USUAL
    fields: dict[str, Any] = {registry.tag: (Literal[entry.name], entry.name) if usual else Literal[entry.name]}
    fields |= schema.fields(entry, entry.said)
    finest = entry.values[resolution]
    if finest.doubled:
        # The given number is halved once, the doubled ones are taken as they are.
        given = dataclasses.replace(finest, least=2 * (finest.least or 1), default=None)
        fields[resolution] = schema.field(given, about=f"A fixed number of {resolution}, in place of doubling.")
        tolerance = f"Double the {resolution} until two doublings in a row move the risk curve by less of its maximum."
        fields["tolerance"] = (Annotated[Number, Field(gt=0, lt=1)], Field(0.01, description=tolerance))
        for prefix, number, end in zip(("first", "most"), finest.doubled, ("start", "end"), strict=True):
            told = f"With how many {resolution} the doubling {end}s."
            fields[f"{prefix}_{resolution}"] = schema.field(dataclasses.replace(finest, default=number), about=told)
    made = model(entry.name, LimitSection, fields, about(entry))
    made.resolution = resolution
    return made


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


def _seeds(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return list(range(min(value, 10_001))) if whole else value


Seeds = Annotated[
    tuple[Seed, ...],
    Field(min_length=1, max_length=10_000),
    BeforeValidator(_seeds),
    Shorthand(({"type": "integer", "minimum": 1, "maximum": 10_000},)),
]


class NetworksSection(Section):
    """[[networks]]: how they are trained, how wide they are, and with which seeds."""

    dynamics: str
    widths: Annotated[tuple[Count, ...], Field(min_length=1), BeforeValidator(_listed), Shorthand(alone=True)]
    """How many neurons: a list of widths, or one."""
    seeds: Seeds = (0,)
    """A list of seeds, or how many."""

    @field_validator("widths", "seeds")
    @classmethod
    def _distinct(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"{value} is there twice")
        return values


def networks_of(schema: Schema, registry: Registry) -> Any:
    """The type of a [[networks]] table: any dynamics, without what only its limit reads."""

    def fields(entry: Entry) -> dict[str, Any]:
        said = {name: value for name, value in entry.said.items() if value.argument}
        return {registry.tag: Literal[entry.name]} | schema.fields(entry, said)

    models = {entry.name: model(entry.name, NetworksSection, fields(entry), about(entry)) for entry in registry}
    return one_of(registry, models)


def penalty_of(schema: Schema, registry: Registry) -> type[PenaltySection]:
    """The type of [penalty]: keys of all penalties side by side."""
    fields: dict[str, Any] = {}
    needs: dict[str, str] = {}
    for entry in registry:
        first, *others = entry.said
        fields[entry.name] = schema.field(entry.values[first], default=None, about=about(entry))
        fields |= {
            f"{entry.name}_{key}": schema.field(entry.values[key], default=None, about=about_key(entry, key))
            for key in others
        }
        needs |= {f"{entry.name}_{key}": entry.name for key in others}
    made = model("penalty", PenaltySection, fields)
    made.needs = needs
    return made
