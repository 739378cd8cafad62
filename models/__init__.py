"""What a Fellegi–Sunter model is: comparisons, levels, m, u, prior, calibration, thresholds."""

from models.checking import CAUTION, OTHER, SpecificationError
from models.model import (
    LONGEST_NAME,
    NEVER,
    Calibration,
    LevelParameters,
    Model,
    ModelError,
    Registry,
    Thresholds,
    is_name,
)
from models.specification import (
    BlockingRule,
    Caution,
    Comparison,
    Level,
    Pattern,
    Specification,
    Stratum,
    load,
    read_columns,
)
from models.splink import to_splink

__all__ = [
    "CAUTION",
    "LONGEST_NAME",
    "NEVER",
    "OTHER",
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
    "is_name",
    "load",
    "read_columns",
    "to_splink",
]
