"""Invented people for tests and demos: telephone numbers that belong to nobody, and names."""

from __future__ import annotations

from typing import Final

_AREA_CODES: Final = (
    "202 201 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 "
    "248 251 252 253 254 256 260 262 267 269 270 272 276 281 301 302 303 304 305 307 308 309 310 312 313"
)
_FIRST_NAMES: Final = (
    "Ann Ben Cara Dev Ella Finn Gwen Hugo Iris Jon Kim Liam Mona Ned Opal Pat Quinn Rosa Sam Tess Uma Vic Zoe"
)
_LAST_NAMES: Final = (
    "Abbot Baker Clark Dunne Evans Field Grant Hayes Irwin Joyce Knox Lowe Marsh Nolan Owens Price Reed Stone"
)


def fictional_number(index: int) -> str:
    """Return the index-th number (E.164, US) of the ranges 555-0100 to 555-0199 that are kept for fiction.

    The first hundred are +12025550100 to +12025550199; 5,000 are available.
    """
    area, line = divmod(index, 100)
    return f"+1{_AREA_CODES.split()[area]}55501{line:02d}"


def fictional_name(index: int) -> tuple[str, str]:
    """Return a (first name, last name) pair; pairs repeat after 414."""
    first, last = _FIRST_NAMES.split(), _LAST_NAMES.split()
    return first[index % len(first)], last[index // len(first) % len(last)]
