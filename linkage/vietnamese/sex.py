"""Sex, however it is coded."""

from functools import cache

from linkage.vietnamese.text import compose, fold


def parse_sex(text: str) -> str | None:
    """F or M: Nam/Nữ, M/F, male/female, trai/gái in any spelling; 1 is a man, 0 or 2 a woman."""
    return _codes().get(fold(text) or compose(text).strip().removesuffix(".0"))


@cache
def _codes() -> dict[str, str]:
    men = ("nam", "nam gioi", "gioi tinh nam", "m", "male", "man", "trai", "con trai", "be trai", "1", "01")
    women = (
        "nu",
        "nu gioi",
        "gioi tinh nu",
        "f",
        "female",
        "woman",
        "gai",
        "con gai",
        "be gai",
        "0",
        "2",
        "02",
    )
    return dict.fromkeys(men, "M") | dict.fromkeys(women, "F")
