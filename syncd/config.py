"""The configuration file: YAML in, frozen typed values out, every problem at once with its line and path.

Sections and keys are described in `config.example.yaml`; a test keeps the two alike. Everything that can be known
without a network is refused here, at start, because a daemon that nobody watches must not find it out at night.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
)

from syncd import keywords, registry, validation, yamlfile
from syncd.connector import Settings
from syncd.errors import ConfigProblem
from syncd.http import checked_base_url
from syncd.model import Intent, PhoneNumber, Rules, TacitRules, phone_numbers
from syncd.secrets import Vault
from syncd.yamlfile import Document, Flaw, Keys, dotted

# --- forms of single values --------------------------------------------------------------------------------


def duration(text: object) -> timedelta:
    """`30s`, `10m`, `1h30m`, `2d`; ValueError tells the form."""
    match = re.fullmatch("".join(f"(?:([0-9]{{1,6}}){unit})?" for unit in "dhms"), str(text))
    if not match or not text:
        if re.fullmatch(r"-?[0-9.]+", str(text)):
            raise ValueError("a duration needs its unit: 30s, 10m or 24h, not a bare number")
        raise ValueError("must be a duration such as 30s, 10m, 24h, 1h30m or 2d (whole numbers, no spaces)")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _between(low: str, high: str) -> BeforeValidator:
    def checked(text: object) -> timedelta:
        value = duration(text)
        if not duration(low) <= value <= duration(high):
            raise ValueError(f"must be from {low} to {high}")
        return value

    return BeforeValidator(checked)


def _phone_number(text: str) -> PhoneNumber:
    found = phone_numbers(text) if re.fullmatch(r"[-+(). \d]+", text) else ()
    if len(found) != 1:
        raise ValueError('must be one US phone number in quotes, such as "+1 202 555 0100"')
    if not found[0].startswith("+1"):
        raise ValueError("is not a US number; PrimeVOX texts from numbers with +1 only")
    return found[0]


def _container_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ValueError('must be the number that the PrimeVOX dashboard shows top left, in quotes: "100200"')
    return text


def folded(word: str) -> str:
    """A keyword in the form in which two of them are compared: no case, no marks around it, single spaces."""
    word = unicodedata.normalize("NFKC", word).casefold()
    return " ".join(re.sub(r"^[\W_]+|[\W_]+$", "", word).split())


def _keyword(word: str) -> str:
    if not any(char.isalpha() for char in word):
        raise ValueError('needs at least one letter (a # without quotes begins a comment: write "#Go")')
    if len(word) > 40 or not word.isprintable():
        raise ValueError("must be a word of at most 40 characters")
    return word.strip()


def _opt_in_keyword(word: str) -> str:
    word = _keyword(word)
    if folded(word) == "yes":
        raise ValueError("YES answers too many other questions to prove consent; choose another word")
    without = keywords.Vocabulary(opt_in_keywords=())
    meanings = {str(keywords.read(form, without).intent) for form in (word, folded(word))}
    if Intent.OPT_OUT in meanings:
        raise ValueError("is an opt-out by law and carrier rules, and can never opt somebody in; choose another")
    if Intent.HELP in meanings:
        raise ValueError("asks for help by carrier rules, and cannot opt somebody in; choose another word")
    return word


_Keyword = Annotated[str, AfterValidator(_keyword)]
_OptInKeyword = Annotated[str, AfterValidator(_opt_in_keyword)]

# No pattern for attachments may take these out of a text: an opt-out would be lost.
_NEVER_TAKEN_OUT = ("STOP", "#Stop", "Please stop texting me.")


def _pattern(text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a pattern that Python will read differently some day
            pattern = re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if pattern.search(""):
        raise ValueError("matches the empty text, and so everywhere; make it match the placeholder only")
    for words in _NEVER_TAKEN_OUT:
        if pattern.search(words):
            raise ValueError(f"also matches in {words!r}, so that an opt-out would be lost; make it narrower")
    return text


def _store_url(url: str) -> str:
    if url.startswith("postgresql+psycopg://"):
        raise ValueError("PostgreSQL comes later; use sqlite:////var/lib/syncd/state.db")
    if not re.fullmatch(r"sqlite:///[^?#\x00]*[^?#\x00/]", url):
        raise ValueError("must be sqlite:////absolute/path.db, or sqlite:///path.db beside this file")
    if ":memory:" in url:
        raise ValueError("a database in memory would forget the evidence; use sqlite:////var/lib/syncd/state.db")
    return url


# --- sections ----------------------------------------------------------------------------------------------


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Container(_Section):
    """A PrimeVOX container and our numbers in it. `api_key` overrides the one of the section."""

    id: Annotated[str, AfterValidator(_container_id)]
    numbers: Annotated[tuple[Annotated[PhoneNumber, AfterValidator(_phone_number)], ...], Field(min_length=1)]
    api_key: SecretStr | None = None


class PrimeVox(_Section):
    """Where conversations come from, and how often we ask. `attachment_patterns`: None stands for the built-in."""

    base_url: Annotated[str, AfterValidator(checked_base_url)] = "https://pbx.primevox.net"
    api_key: SecretStr | None = None
    poll_interval: Annotated[timedelta, _between("1s", "1h")] = timedelta(seconds=30)
    max_concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    requests_per_second: Annotated[float, Field(ge=0.1, le=100)] = 5.0
    sweep_interval: Annotated[timedelta, _between("1s", "30d")] = timedelta(hours=24)
    attachment_patterns: tuple[Annotated[str, AfterValidator(_pattern)], ...] | None = None
    containers: Annotated[tuple[Container, ...], Field(min_length=1)]

    @field_validator("sweep_interval")
    @classmethod
    def _not_faster_than_polls(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value < info.data.get("poll_interval", value):
            raise ValueError("must not be shorter than poll_interval")
        return value

    def api_key_of(self, container: Container) -> SecretStr:
        """The key that reads this container; `load` made sure that there is one."""
        return container.api_key or self.api_key or SecretStr("")


class Psa(_Section):
    """Which connector, how often it is read, and its own settings (an instance of its `settings_model`)."""

    connector: str
    company_poll_interval: Annotated[timedelta, _between("1s", "1h")] = timedelta(minutes=1)
    directory_refresh_interval: Annotated[timedelta, _between("1s", "24h")] = timedelta(minutes=10)
    settings: SerializeAsAny[Settings] = Settings()


class TacitOptIn(_Section):
    """When a client who writes first counts as opted in."""

    enabled: bool = True
    after_opt_out: bool = True
    quiet_period: Annotated[timedelta, _between("1s", "30d")] = timedelta(hours=24)


class Brake(_Section):
    """How many opt-outs by company state one pass may bring before a person must look."""

    companies: Annotated[int, Field(ge=1)] = 5
    contacts: Annotated[int, Field(ge=1)] = 500


class Policy(_Section):
    """The switches of the texting policy."""

    opt_in_keywords: Annotated[tuple[_OptInKeyword, ...], Field(min_length=1)] = ("#Go",)
    opt_out_keywords: Annotated[tuple[_Keyword, ...], Field(min_length=1)] = ("#Stop",)
    plain_language_opt_out: bool = True
    tacit_opt_in: TacitOptIn = TacitOptIn()
    staff_opt_in: Literal["reassert", "accept"] = "reassert"
    first_run: Literal["review", "replay"] = "review"
    brake: Brake = Brake()


class Store(_Section):
    """Where evidence is kept. A relative path counts from the folder of the configuration file."""

    url: Annotated[str, AfterValidator(_store_url)] = "sqlite:////var/lib/syncd/state.db"


class Log(_Section):
    """What is logged, and how. `numbers`: clients' phone numbers in full, or their last four digits."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"
    numbers: Literal["last4", "full"] = "last4"


class Config(_Section):
    """The whole file. Printing it shows no secret."""

    primevox: PrimeVox
    psa: Psa
    policy: Policy = Policy()
    store: Store = Store()
    log: Log = Log()

    def rules(self) -> Rules:
        """The switches in the form that `policy` takes."""
        tacit = self.policy.tacit_opt_in
        rules = TacitRules(tacit.enabled, tacit.after_opt_out, tacit.quiet_period)
        return Rules(rules, self.policy.staff_opt_in)

    def vocabulary(self) -> keywords.Vocabulary:
        """The words and patterns in the form that `keywords` takes."""
        built_in = keywords.Vocabulary()
        patterns = self.primevox.attachment_patterns
        return keywords.Vocabulary(
            opt_in_keywords=self.policy.opt_in_keywords,
            opt_out_keywords=self.policy.opt_out_keywords,
            plain_language_opt_out=self.policy.plain_language_opt_out,
            attachment_patterns=built_in.attachment_patterns if patterns is None else patterns,
        )

    def secret_values(self) -> tuple[str, ...]:
        """Every secret that was read, longest first (one may be a part of another), for redaction."""
        found = {secret.get_secret_value() for secret in _secrets(self)} - {""}
        return tuple(sorted(found, key=lambda secret: (-len(secret), secret)))


def _secrets(value: object) -> Iterator[SecretStr]:
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from _secrets(inner)
    elif isinstance(value, dict | tuple | list | set | frozenset):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _secrets(inner)


# --- loading -----------------------------------------------------------------------------------------------


def _installed(connector: str) -> type[Settings]:
    return registry.find(connector).settings_model


def load(
    path: Path, *, secrets: bool = True, settings_model: Callable[[str], type[Settings]] = _installed
) -> Config:
    """Read and check the file; ConfigProblem holds everything that must be edited.

    With `secrets=False` references to secrets are checked for their form only, and every secret is empty.
    `settings_model` gives the settings model of a connector by its name, or raises ConfigProblem.
    """
    document = yamlfile.read(path)
    vault = Vault(path.absolute().parent, reading=secrets)
    data = dict(document.data)
    for section in ("policy", "store", "log"):
        if section in data and data[section] is None:  # all its keys are commented out
            del data[section]
    psa = data.get("psa")
    if isinstance(psa, dict):
        data["psa"] = {key: value for key, value in psa.items() if key != "settings"}
    config, flaws = validation.check(Config, document, (), data, vault)
    flaws = [*document.flaws, *flaws, *_containers(document), *_keywords(document)]
    settings: Settings | None = None
    if isinstance(psa, dict) and isinstance(psa.get("connector"), str):
        try:
            model = settings_model(psa["connector"])
        except ConfigProblem as error:
            flaws += [Flaw(("psa", "connector"), problem.what) for problem in error.problems]
        else:
            given = {} if psa.get("settings") is None else psa["settings"]
            settings, more = validation.check(model, document, ("psa", "settings"), given, vault)
            flaws += more
    if flaws or config is None or settings is None:
        raise ConfigProblem(document.problems(flaws))
    # A command that is run in another folder must not find, or make, another database.
    url = f"sqlite:///{path.absolute().parent / config.store.url.removeprefix('sqlite:///')}"
    psa_section = config.psa.model_copy(update={"settings": settings})
    return config.model_copy(update={"psa": psa_section, "store": config.store.model_copy(update={"url": url})})


# The next two look at raw data, so that they find their flaws together with everybody else's.


def _keywords(document: Document) -> list[Flaw]:
    """Keywords that stand in both lists."""
    words = document.entries("policy", "opt_in_keywords") or ["#Go"]
    opt_in = {folded(word) for word in words if isinstance(word, str)}
    what = "is also in opt_in_keywords; a word can mean only one of the two"
    return [
        Flaw(("policy", "opt_out_keywords", index), what)
        for index, word in enumerate(document.entries("policy", "opt_out_keywords"))
        if isinstance(word, str) and folded(word) in opt_in
    ]


def _containers(document: Document) -> list[Flaw]:
    """Containers without a key, and numbers that stand in the file twice."""
    flaws: list[Flaw] = []
    seen: dict[PhoneNumber, Keys] = {}
    for index, container in enumerate(document.entries("primevox", "containers")):
        at: Keys = ("primevox", "containers", index)
        if not isinstance(container, dict):
            continue
        if container.get("api_key") is None and document.data["primevox"].get("api_key") is None:
            what = "is missing here, and there is none for all containers in primevox.api_key"
            flaws.append(Flaw((*at, "api_key"), what))
        numbers = container.get("numbers")
        for position, raw in enumerate(numbers if isinstance(numbers, list) else ()):
            keys = (*at, "numbers", position)
            found = phone_numbers(raw) if isinstance(raw, str) else ()
            if len(found) == 1 and found[0] in seen:
                first = seen[found[0]]
                where = f"{dotted(first)} (line {document.line(first)})"
                flaws.append(Flaw(keys, f"the same number as {where}; list each number once"))
            elif len(found) == 1:
                seen[found[0]] = keys
    return flaws
