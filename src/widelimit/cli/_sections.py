"""The sections of a problem file: what keys there are and what they may be.

Numbers, texts and flags are strict: TOML has types, so "3" is a mistake where 3 is meant.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, field_validator, model_validator
from pydantic_core import PydanticCustomError

from widelimit.results import unknown

from ._words import shown

Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict(), Field(min_length=1)]
Seed = Annotated[int, Strict(), Field(ge=0, lt=2**32)]
# No machine holds more particles than this; the bound turns a slip into a sentence.
Count = Annotated[int, Strict(), Field(ge=1, le=10**8)]


class Section(BaseModel):
    """A table with known keys; an unknown one is refused with the nearest that is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for key in given:
                if key not in cls.model_fields:
                    raise misfit(unknown(key, list(cls.model_fields)), key)
        return given


def misfit(text: str, key: str = "") -> PydanticCustomError:
    """An error at `key` of the section that is being read, or at the section itself."""
    return PydanticCustomError("misfit", "{text}", {"text": text, "key": key})


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[Text, ...], BeforeValidator(_as_list), Field(min_length=1)]


class DataSection(Section):
    """[data]: what to learn from."""

    source: Text
    target: Names | None = None
    classes: Annotated[tuple[Any, ...], Field(min_length=2)] | None = None
    features: Names | None = None
    scaling: Literal["unit-variance", "unit-norm", "none"] = "unit-variance"
    target_scaling: Literal["none", "unit-variance"] = "none"
    held_out: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    seed: Seed = 0

    @field_validator("classes")
    @classmethod
    def _labels(cls, classes: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        for label in classes or ():
            if not isinstance(label, str | int | float):
                raise ValueError(f"expected numbers or texts, got {shown(label)}")
        return classes

    @model_validator(mode="after")
    def _class_targets(self) -> "DataSection":
        if self.classes is not None and self.target_scaling != "none":
            raise misfit("classes are -1 and +1 already, so only 'none' goes", "target_scaling")
        return self


class NeuronUnit(Section):
    kind: Literal["neuron"]
    activation: Text
    bias: Flag = True
    output_weight: Flag = True

    @field_validator("activation")
    @classmethod
    def _named(cls, name: str) -> str:
        from widelimit.problem import activations

        if name not in activations.registry.names:
            raise ValueError(unknown(name, activations.registry.names))
        return name


class RadialBasisUnit(Section):
    kind: Literal["radial_basis"]
    width: Positive


class FreeKnotUnit(Section):
    kind: Literal["free_knot"]
    charge: Flag = True


class SquaredLoss(Section):
    kind: Literal["squared"] = "squared"
    factor: Positive = 0.5


class LogisticLoss(Section):
    kind: Literal["logistic"]


class HuberLoss(Section):
    kind: Literal["huber"]
    threshold: Positive = 1.0


class PenaltySection(Section):
    """[penalty]: l2 |theta|^2 over all blocks, total_variation |charge|."""

    l2: NonNegative = 0.0
    total_variation: NonNegative = 0.0


class BoxDomain(Section):
    kind: Literal["box"]
    lower: Number
    upper: Number


class HalfLineDomain(Section):
    kind: Literal["half_line"]
    lower: Number = 0.0


class SphereDomain(Section):
    kind: Literal["sphere"]
    radius: Positive = 1.0


class CircleDomain(Section):
    kind: Literal["circle"]
    period: Positive = 6.283185307179586


def _std(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "1/sqrt(d)" or (number and 0 <= value < 1e300):
        return value
    raise ValueError(f"expected a number that is not negative, or '1/sqrt(d)' (d: the inputs), got {shown(value)}")


class NormalLaw(Section):
    law: Literal["normal"]
    mean: Number = 0.0
    std: Annotated[float | Literal["1/sqrt(d)"], BeforeValidator(_std)] = 1.0


class UniformLaw(Section):
    law: Literal["uniform"]
    lower: Number
    upper: Number


class AtomLaw(Section):
    law: Literal["atom"]
    value: Number = 0.0


class SphereLaw(Section):
    law: Literal["sphere"]
    radius: Positive = 1.0


class TimeSection(Section):
    """[time]: the end, and how many save times there are (denser at the start)."""

    t1: Positive
    saves: Annotated[int, Strict(), Field(ge=2, le=100_000)] = 65


class LimitSection(Section):
    """[limit]: a fixed number of particles, or doublings until two in a row move the risk curve by less."""

    particles: Annotated[Count, Field(ge=2)] | None = None
    tolerance: Annotated[Number, Field(gt=0, lt=1)] | None = None
    first_particles: Count = 64
    most_particles: Count = 1024

    @model_validator(mode="after")
    def _one_way(self) -> "LimitSection":
        if self.particles is not None:
            for key in ("tolerance", "first_particles", "most_particles"):
                if key in self.model_fields_set:
                    raise misfit("goes with doubling; with a fixed number of particles leave it out", key)
        elif self.most_particles < 4 * self.first_particles:
            least = f"4 first_particles (= {4 * self.first_particles})"
            raise misfit(f"must be at least {least}, got {self.most_particles}", "most_particles")
        return self


def _seeds(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return list(range(min(value, 10_001))) if whole else value


Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_seeds), Field(min_length=1, max_length=10_000)]


class _Networks(Section):
    widths: Annotated[tuple[Count, ...], Field(min_length=1)]
    seeds: Seeds = (0,)

    @field_validator("widths", "seeds")
    @classmethod
    def _distinct(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"{value} is there twice")
        return values


class SGDNetworks(_Networks):
    dynamics: Literal["sgd"]
    step: Positive
    batch: Count = 1
    sampling: Literal["epochs", "fresh", "full"] = "epochs"
    dtype: Literal["float32", "float64"] = "float64"


class FlowNetworks(_Networks):
    dynamics: Literal["gradient_flow"]


Unit = Annotated[NeuronUnit | RadialBasisUnit | FreeKnotUnit, Field(discriminator="kind")]
Loss = Annotated[SquaredLoss | LogisticLoss | HuberLoss, Field(discriminator="kind")]
Domain = Annotated[BoxDomain | HalfLineDomain | SphereDomain | CircleDomain, Field(discriminator="kind")]
Law = Annotated[NormalLaw | UniformLaw | AtomLaw | SphereLaw, Field(discriminator="law")]
Networks = Annotated[SGDNetworks | FlowNetworks, Field(discriminator="dynamics")]

# What a section's table may call itself, by section.
TAGS: dict[str, tuple[str, ...]] = {
    "unit": ("neuron", "radial_basis", "free_knot"),
    "loss": ("squared", "logistic", "huber"),
    "domain": ("box", "half_line", "sphere", "circle"),
    "start": ("normal", "uniform", "atom", "sphere"),
    "networks": ("sgd", "gradient_flow"),
}
