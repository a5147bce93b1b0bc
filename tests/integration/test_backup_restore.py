"""The whole of it with the real process: a backup while it runs, a lost disk, a restore, and on it goes."""

from __future__ import annotations

import os
import re
import stat

from rig import IN, OUT, Rig, wait_until


def test_a_backup_while_it_runs_a_lost_disk_and_a_restore() -> None:
    with Rig(people=4) as rig:
        rig.start()
        rig.text(0, "#Go")
        rig.text(1, "STOP")
        wait_until(lambda: rig.all_shown()[:2] == [IN, OUT] and rig.settled())
        copy = rig.folder / "night.db"
        done = rig.run("backup", str(copy))
        assert done.returncode == 0, done.stderr
        head = re.search(r"written and verified: \d+ entries, head (\d+:[0-9a-f]{64})\n$", done.stdout)
        assert head
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert rig.run("backup", str(copy)).returncode == 73, "not overwritten"
        assert rig.run("ledger", "verify", "--head", head[1]).returncode == 0
        assert rig.run("restore", str(copy)).returncode == 75, "the daemon runs"

        rig.text(0, "STOP")
        wait_until(lambda: rig.shown(0) == OUT and rig.settled())
        rig.text(2, "#Go")
        wait_until(lambda: rig.shown(2) == IN)
        rig.kill()
        rig.text(3, "please stop texting me")
        size = rig.database.stat().st_size
        with rig.database.open("r+b") as stream:
            stream.seek(4096)
            stream.write(os.urandom(size - 4096))
        (rig.folder / "state.db-wal").unlink(missing_ok=True)
        rig.output.clear()

        done = rig.run("restore", str(copy))
        assert done.returncode == 0, done.stderr
        assert f"restored: {head[1].partition(':')[0]} entries, head {head[1]}\n" in done.stdout
        rig.start()
        wait_until(lambda: rig.all_shown() == [OUT, OUT, IN, OUT] and rig.settled())
        before = rig.patches()
        rig.polls(3)
        assert rig.patches() == before
        assert rig.run("ledger", "verify", "--head", head[1]).returncode == 0, "heads up to the backup still hold"
        rig.must_be_sound()
