"""What a Fellegi–Sunter model is: comparisons, levels, m, u, prior, calibration, thresholds."""

from models.model import Calibration, LevelParameters, Model, ModelError, Registry, Thresholds
from models.specification import (
    BlockingRule,
    Caution,
    Comparison,
    Level,
    Pattern,
    Specification,
    SpecificationError,
    Stratum,
    load,
    read_columns,
)
from models.splink import to_splink

__all__ = [
    "BlockingRule",
    "Calibration",
    "Caution",
    "Comparison",
    "Level",
    "LevelParameters",
    "Model",
    "ModelError",
    "Pattern",
    "Registry",
    "Specification",
    "SpecificationError",
    "Stratum",
    "Thresholds",
    "load",
    "read_columns",
    "to_splink",
]
