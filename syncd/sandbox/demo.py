"""`syncd demo`: a scripted day at an MSP on this machine, with no accounts, and an account of what came of it.

Only the script and the clock's time of day are made up. PrimeVOX is the stand-in, asked over real HTTP; the PSA is
the `local` connector's CSV files in a temporary folder; the configuration is a real file there; the daemon's own
loops do the work. What must come of it stands in the story. What did come of it is read from the CSV file and from
the account that `syncd status` and `syncd explain` give.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syncd.sandbox.demo_stage import PATIENCE, Found, Stage, TooLate, number_of
from syncd.sandbox.demo_story import THE_DAY, Approval, Event, Joins, Outcome, Person, Scene, Story, Texts, WeText
from syncd.store import ledger

STYLES = {"Opted-In": "green", "Approved": "green", "Opted-Out": "red"}


def demo(story: Story = THE_DAY) -> int:
    """Play the story; 0 if every outcome is right and the ledger is whole, 1 if not, 130 when interrupted."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an ASCII terminal shows ? for a dash and a curly quote
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    folder = Path(tempfile.mkdtemp(prefix="syncd-demo-"))  # mode 0700
    right = False
    try:
        with ExitStack() as running:
            right = _play(story, Stage(story, folder, running), out)
    except KeyboardInterrupt:
        out.print("\nInterrupted; nothing is left behind.")
        right = True
        return 130
    except SystemExit:  # whoever read our output has closed it: `syncd demo | head`
        right = True
        raise
    finally:
        if right:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            out.print(
                Text(f"Kept for a look: {folder} (the daemon's log is syncd.log)", style="red"), soft_wrap=True
            )
            out.print(Text(f"syncd explain NUMBER -c {folder}/syncd.yaml", style="red"), soft_wrap=True)
    return 0 if right else 1


# --- telling it ------------------------------------------------------------------------------------------


def _play(story: Story, stage: Stage, out: Console) -> bool:
    """Play all scenes, then account for them. Whether everything is right."""
    out.print(
        f"A day at an MSP, on this machine: PrimeVOX is a stand-in on {stage.primevox.base_url}, the PSA is two "
        "CSV files, the daemon is the real one. The clock jumps from scene to scene.\n"
    )
    names = {company.id: company.name for company in story.companies}
    title = f"syncd starts; the PSA has {len(names)} companies and {len(story.people)} people"
    begin = Scene(title, (), story.at_first)
    right = True
    for scene in (begin, *story.scenes):
        try:
            right &= _perform(scene, stage, names, out)
        except TooLate as late:
            out.print(Text(f"Not done within {PATIENCE:.0f} seconds: {late}", style="bold red"))
            right = False
            break
    return _account(story, stage, out) and right


def _perform(scene: Scene, stage: Stage, names: Mapping[str, str], out: Console) -> bool:
    out.print(Text(scene.title, style="bold"))
    for event in scene.events:
        stage.play(event)
        _line(out, event.at, _told(event, stage.people, names))
    with out.status("the daemon is at work") if out.is_terminal else nullcontext():
        stage.settle()
    found = stage.look()
    right = True
    for who, expected in scene.then.items():
        as_expected = found[who].is_as(expected)
        if as_expected and not scene.events and not expected.psa:
            continue  # at the start there is nothing to tell of most people
        style = STYLES.get(found[who].psa, "yellow") if as_expected else "bold red"
        wrong = "" if as_expected else f"  (WRONG: expected {_described(expected)})"
        _line(out, "", Text(f"→ PSA: {stage.people[who].name} {found[who].words()}{wrong}", style=style))
        right &= as_expected
    return right


def _line(out: Console, at: str, text: Text) -> None:
    """One line of the story, its continuation lines below the text."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=5, style="dim")
    grid.add_column()
    grid.add_row(at, text)
    out.print(grid)


def _told(event: Event, people: Mapping[str, Person], names: Mapping[str, str]) -> Text:
    match event:
        case Texts() | WeText():
            person = people[event.person]
            who = f"{person.name} ({names[person.company]})"
            said = f"{who} texts: " if isinstance(event, Texts) else f"We text {who}: "
            return Text.assemble(said, (f"“{event.words}”", "cyan"))
        case Approval():
            return Text(f"The account manager sets {names[event.company]} to {event.value} in the PSA")
        case Joins():
            return Text(f"{event.person.name} is added to {names[event.person.company]} in the PSA")


def _account(story: Story, stage: Stage, out: Console) -> bool:
    """The table, what differs from what the policy demands, and the ledger."""
    expected, found = story.expected(), stage.look()
    wrong = [
        f"{person.name}: expected {_described(expected.get(person.id))}; found {_described(found.get(person.id))}"
        for person in story.everybody()
        if person.id not in found or not found[person.id].is_as(expected.get(person.id))
    ]
    out.print()
    out.print(_table(story, stage, found, out.width))
    everybody = len(story.everybody())
    out.print(Text(f"{everybody - len(wrong)} of {everybody} outcomes are what the policy demands.", style="bold"))
    wrong += stage.troubles(expected)
    with stage.database.begin() as connection:
        head, faults = ledger.verify(connection)
    wrong += [f"ledger entry {fault.seq} {fault.what}" for fault in faults]
    for line in wrong:
        out.print(Text(f"WRONG  {line}", style="bold red"))
    state = "BROKEN" if faults else "verified"
    out.print(f"Ledger {state}: {head.seq} entries, head {head.seq}:{head.hash[:16]}…")
    out.print(
        f"PrimeVOX was asked {len(stage.primevox.requests)} times over HTTP in {stage.seconds():.1f} seconds."
    )
    out.print("Read on: README.md; `syncd check` for a configuration of your own, `syncd run` for the daemon.")
    return not wrong


def _table(story: Story, stage: Stage, found: Mapping[str, Found], width: int) -> Table:
    """Each company with its approval, and below it its people."""
    table = Table(box=box.SIMPLE_HEAD if width < 90 else box.ROUNDED, header_style="bold")
    for heading in ("Who", "What they texted", "PSA says", "Why", "Clause"):
        # Whatever is left for "Why" then holds most reasons in one line.
        most = width - 76 if heading == "What they texted" and width >= 90 else None
        table.add_column(heading, no_wrap=heading in ("Who", "PSA says"), max_width=most, overflow="fold")
    expected = story.expected()
    approvals = stage.approvals()
    for company in story.companies:
        table.add_section()
        table.add_row(Text(company.name, style="bold"), "", _value(approvals.get(company.id, "")))
        for person in story.everybody():
            one = found.get(person.id)
            if person.company != company.id or one is None:
                continue
            table.add_row(
                Text(f" {person.name}"),
                _texts(story, person),
                _value(one.psa),
                Text(_why(one)),
                Text(one.clause.replace(", ", ",\n") if width < 90 else one.clause),
                style=None if one.is_as(expected.get(person.id)) else "bold red",
            )
    return table


def _why(one: Found) -> str:
    if one.review is None:
        return one.reason
    return f"a person must read the text: {one.review.partition(' (')[0]}"


def _value(text: str) -> Text:
    return Text(text or "–", style=STYLES.get(text, "dim"))


def _texts(story: Story, person: Person) -> Text:
    """What came from the person's phone, and what we sent there."""
    numbers = {one.id: number_of(one) for one in story.everybody()}
    lines: list[Text] = []
    for event in (event for scene in story.scenes for event in scene.events):
        if isinstance(event, Texts | WeText) and numbers[event.person] == numbers[person.id]:
            words = f"(we: {event.words})" if isinstance(event, WeText) else event.words
            words += "" if event.person == person.id else " (the same phone)"
            lines.append(Text(words, style="dim" if isinstance(event, WeText) else "cyan"))
    return Text("\n").join(lines) if lines else Text("–", style="dim")


def _described(one: Outcome | Found | None) -> str:
    if one is None:
        return "nobody of that name"
    waits = (", held" if one.held else "") + (", in review" if one.review else "")
    return f"{one.psa or 'no value'} by {one.clause}{waits}"
