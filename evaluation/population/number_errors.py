"""What clerks do to an identity number or a phone: text in, text out, drawn from `random.Random`."""

from random import Random

OLD_PHONES = {  # prefix without its 0, since 2018: before
    "70": "120", "79": "121", "77": "122", "76": "126", "78": "128", "83": "123", "84": "124", "85": "125",
    "81": "127", "82": "129", "32": "162", "33": "163", "34": "164", "35": "165", "36": "166", "37": "167",
    "38": "168", "39": "169",
}  # fmt: skip


def wrong_digit(number: str, random: Random) -> str:
    """One digit replaced, mostly of the serial."""
    start = len(number) // 2 if random.random() < 0.8 else 3
    at = random.randrange(start, len(number))
    return number[:at] + random.choice([d for d in "0123456789" if d != number[at]]) + number[at + 1 :]


def transpose(number: str, random: Random) -> str:
    """Two neighbouring digits swapped."""
    spots = [i for i in range(3, len(number) - 1) if number[i] != number[i + 1]]
    if not spots:
        return wrong_digit(number, random)
    at = random.choice(spots)
    return number[:at] + number[at + 1] + number[at] + number[at + 2 :]


def lose_zeros(number: str, _: Random) -> str:
    """A numeric spreadsheet cell."""
    return number.lstrip("0")


def drop_digit(number: str, random: Random) -> str:
    """One digit missing."""
    at = random.randrange(3, len(number))
    return number[:at] + number[at + 1 :]


def extra_digit(number: str, random: Random) -> str:
    """One digit typed twice or too many."""
    at = random.randrange(3, len(number))
    return number[:at] + random.choice([number[at], str(random.randrange(10))]) + number[at:]


def look_alike(number: str, random: Random) -> str:
    """Letters that look like digits, or full-width digits."""
    if random.random() < 0.15:
        return number.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
    pairs = [(d, c) for d, c in (("0", "O"), ("1", "l"), ("5", "S"), ("0", "o")) if d in number]
    digit, letter = random.choice(pairs)
    return number.replace(digit, letter, random.randint(1, 3))


def exponent(number: str, _: Random) -> str:
    """Scientific form; the last digits are gone."""
    return f"{int(number):.4E}".replace("E+0", "E+")


def two_numbers(number: str, random: Random) -> str:
    """Another number in the same cell."""
    other = str(random.randrange(10_000_000, 390_000_000)).zfill(9)
    return random.choice([f"{number}/{other}", f"{other} - {number}", f"{other}; {number}", f"{number} ({other})"])


def placeholder(_: str, random: Random) -> str:
    """What stands in the box when there is no number."""
    return random.choice(["0", "000000000", "123456789", "999999999999", "chưa có", ".", "không", "-", "000000000000"])


def old_phone(phone: str, _: Random) -> str:
    """The eleven digits of before 2018."""
    return "0" + OLD_PHONES.get(phone[1:3], phone[1:3]) + phone[3:]


def phone_format(phone: str, random: Random) -> str:
    """+84, 84, 0084, spaces, dots, the zero eaten, two numbers in the cell."""
    kind = random.randrange(7)
    return (
        "+84" + phone[1:], phone[1:], f"{phone[:4]} {phone[4:7]} {phone[7:]}",
        f"{phone[:4]}.{phone[4:7]}.{phone[7:]}",
        "84" + phone[1:], "0084" + phone[1:], f"{phone} / 09{random.randrange(10**8):08d}",
    )[kind]  # fmt: skip


def number_format(number: str, random: Random) -> str:
    """Separators and labels around a number that is right."""
    kind = random.randrange(6)
    return (
        f"{number[:3]} {number[3:6]} {number[6:9]} {number[9:]}".strip(), f"'{number}", f"CCCD: {number}",
        f" {number} ",
        f"{number[:4]}.{number[4:8]}.{number[8:]}".strip("."), f"{number[:6]}-{number[6:]}",
    )[kind]  # fmt: skip
