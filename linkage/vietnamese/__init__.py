"""What a Vietnamese record says, value by value: names, numbers, birth dates, sex, phones, places."""

from linkage.vietnamese.addresses import Address, parse_address
from linkage.vietnamese.birth_dates import BirthDate, parse_birth_date
from linkage.vietnamese.identity import (
    IdentityNumber,
    parse_identity_number,
    parse_identity_numbers,
    province_of_prefix,
)
from linkage.vietnamese.insurance import parse_insurance_number
from linkage.vietnamese.names import Name, parse_name, spell_name
from linkage.vietnamese.nationality import is_foreign
from linkage.vietnamese.phones import parse_phone
from linkage.vietnamese.places import Place, neighbouring_provinces, resolve_place
from linkage.vietnamese.sex import parse_sex
from linkage.vietnamese.text import fold

__all__ = [
    "Address",
    "BirthDate",
    "IdentityNumber",
    "Name",
    "Place",
    "fold",
    "is_foreign",
    "neighbouring_provinces",
    "parse_address",
    "parse_birth_date",
    "parse_identity_number",
    "parse_identity_numbers",
    "parse_insurance_number",
    "parse_name",
    "parse_phone",
    "parse_sex",
    "province_of_prefix",
    "resolve_place",
    "spell_name",
]
