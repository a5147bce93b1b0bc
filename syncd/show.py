"""How people see it: tables and sentences on a terminal. Texts of strangers are made printable first."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syncd.connector import Grade, Report
from syncd.model import visible

CONSENT = {"opted_in": "opted in", "opted_out": "opted out", None: "–"}
_COLOUR = {"opted_in": "green", "opted_out": "red"}
EXPORTED: tuple[str, ...] = (
    *("seq", "at", "kind", "number", "text", "sent", "contact", "company", "before", "after"),
    *("intent", "rule", "clause", "reason", "result", "prev", "hash", "entry"),
)


# Accents upon accents grow over the lines above; no language stacks more than three.
_ACCENTS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_PILE = re.compile(f"([{_ACCENTS}]{{3}})[{_ACCENTS}]+")


def console() -> Console:
    """Standard output; plain when it is not a terminal."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def printable(text: str, limit: int = 200) -> str:
    """One line without control characters, terminal escapes, marks that turn its direction and piled accents."""
    clean = _PILE.sub(r"\1", visible(re.sub(r"[\r\n\t]", " ", text)))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _line(text: str, style: str = "") -> Text:
    """A line of its own, taken literally."""
    return Text(printable(text, 1000), style=style)


def consent(value: str | None) -> Text:
    """An opt-in value, coloured."""
    return Text(CONSENT[value], style=_COLOUR.get(value or "", "dim"))


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], title: str | None = None) -> Table:
    """A plain table; every cell is taken literally. Columns whose name ends in a blank may wrap."""
    made = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        made.add_column(name.rstrip(), no_wrap=not name.endswith(" "), overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    return made


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


def status(found: dict[str, Any]) -> None:
    """`syncd status` for people: what needs somebody first."""
    out = console()
    brake = found["brake"]
    if brake:
        state = "released, goes on at the next pass" if brake["released"] else "held; `syncd brake release`"
        out.print(_line(f"BRAKE: {brake['what']}: {brake['detail']} ({state})", "bold red"))
    for one in found["parked"]:
        out.print(
            _line(
                f"PARKED: contact {one['contact']} ({printable(one['name'])}) should be {CONSENT[one['wanted']]}: "
                f"{printable(one['reason'] or '')}; tried {one['attempts']} times since {one['since'][:19]}",
                "red",
            )
        )
    words = {
        "pending": "writes to the PSA still to be done",
        "held": "opt-ins held until the company approves",
        "review": "texts that wait for a person (`syncd review list`)",
        "unmatched": "numbers that no contact has",
        "unproven": "contacts that show opted in without evidence",
    }
    for key, meaning in words.items():
        out.print(f"{found[key]:>6}  {meaning}")
    rows = [
        (one["number"], (one["last_good_pass"] or "never")[:19], one["error"] or one["gap"] or "ok")
        for one in found["numbers"]
    ]
    out.print(table(("our number", "last good pass (UTC)", "state "), rows))
    psa = [(what, (one["last_good"] or "–")[:19], one["error"] or "ok") for what, one in found["psa"].items()]
    out.print(table(("PSA", "last good pass (UTC)", "state "), psa))


def explanation(found: dict[str, Any], entries: Sequence[dict[str, Any]]) -> None:
    """`syncd explain` for people."""
    out = console()
    out.print(Text(f"May we text {found['number']}?  {found['reason']}", style="bold"))
    for one in found["contacts"]:
        out.print()
        active = "" if one["active"] else ", inactive"
        out.print(_line(f"{printable(one['name'])} (contact {one['id']}{active})", "bold"))
        out.print(_line(f"  company:  {printable(str(one['company']))}, {one['company_state']}"))
        out.print(
            Text("  the PSA shows: "), consent(one["shown"]), Text("   it should show: "), consent(one["desired"])
        )
        out.print(_line(f"  because:  {one['reason']}  [clause {one['clause']}]"))
    if entries:
        out.print()
        rows = [(str(one["seq"]), (one.get("sent") or one["at"])[:19], one["kind"], _gist(one)) for one in entries]
        out.print(table(("ledger", "when (UTC)", "what", "evidence "), rows))


def _gist(entry: dict[str, Any]) -> str:
    if entry["kind"] == "message":
        return f"“{printable(entry['text'])}” → {entry['intent']} ({entry['rule']})"
    if entry["kind"] in ("company", "staff"):
        return f"{entry.get('name') or 'contact ' + str(entry['contact'])}: {entry['before']} → {entry['after']}"
    return printable(json.dumps({key: value for key, value in entry.items() if key in EXPORTED and value}))


def review(found: Sequence[dict[str, Any]]) -> None:
    """`syncd review list` for people."""
    out = console()
    if not found:
        out.print("Nothing waits in review.")
        return
    rows = [
        (
            str(one["seq"]),
            one["sent"][:19],
            one["number"],
            ", ".join(one["contacts"]) or "–",
            one["text"],
            f"{one['reads']}: {one['why']}",
        )
        for one in found
    ]
    out.print(table(("item", "sent (UTC)", "number", "contacts ", "text ", "why "), rows))
    out.print("Decide with: syncd review resolve ITEM opt_in|opt_out|nothing")


def report(made: Report, heading: str) -> None:
    """What a connector's check found: one screen, so without a frame."""
    out = console()
    styles = {Grade.OK: "green", Grade.NOTE: "yellow", Grade.FAIL: "bold red", Grade.DOWN: "bold red"}
    found = Table.grid(padding=(0, 1, 0, 0))
    found.add_column(width=5)
    found.add_column(no_wrap=True)
    found.add_column(overflow="fold")
    for one in made.findings:
        style = styles[one.grade]
        mark = Text(one.grade.value.upper() if "red" in style else one.grade.value, style)
        found.add_row(mark, Text(printable(one.what)), Text(printable(one.detail, 500)))
    out.print(Text(heading, style="bold"))
    out.print(found)


def export(found: Iterable[tuple[dict[str, Any], str, str]], form: str, out: TextIO) -> int:
    """Write ledger entries as JSON Lines or CSV; returns how many."""
    count = 0
    writer = csv.writer(out)
    if form == "csv":
        writer.writerow(EXPORTED)
    for entry, body, digest in found:
        count += 1
        if form == "csv":
            # A semicolon stands inside JSON strings only, and some spreadsheets take it for the end of a cell.
            whole = entry | {"hash": digest, "entry": body.replace(";", "\\u003b")}
            writer.writerow([_cell(whole.get(name)) for name in EXPORTED])
        else:
            out.write(json.dumps(entry | {"hash": digest}, sort_keys=True, ensure_ascii=True) + "\n")
    return count


# Where a cell begins, or begins for a spreadsheet that separates by semicolons. Blanks in front are passed over,
# quotes may be taken for those of the cell, and some take the wide and small forms of East Asia as well.
_FORMULA = re.compile(r"""(\A(?=[\s"]*[=+\-@＝＋－＠﹦﹢﹣﹫])|[;\n](?=(?:[^\S\n]|")*[=+\-@＝＋－＠﹦﹢﹣﹫]))""")


def _cell(value: Any) -> str:
    """A CSV cell that no spreadsheet takes for a formula, and no terminal for a command."""
    if value is None:
        return ""
    text = visible(value if isinstance(value, str) else json.dumps(value), keep="\n")
    return text if re.fullmatch(r"\+\d{7,15}", text) else _FORMULA.sub(r"\1'", text)  # a phone number is none
