"""References to secrets: `${credential:NAME}`, `${env:NAME}`, `${file:/path}`.

The configuration file is copied into tickets, backups and version control, so that no secret stands in it.
Messages name the reference, never what it led to, and never a literal that stood in its place.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import stat
from pathlib import Path

LARGEST = 64 * 1024  # bytes; a private key has a few thousand

# systemd sets this to a folder that only the service may read.
SYSTEMD_FOLDER = "CREDENTIALS_DIRECTORY"
# `LoadCredential=syncd:/etc/syncd/credentials` loads a whole folder, and names its files `syncd_NAME`.
SYSTEMD_PREFIX = "syncd_"

_PR_SET_DUMPABLE = 4  # linux/prctl.h

_REFERENCE = re.compile(
    r"\$\{(?:(?P<credential>credential):(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]{0,99})"
    r"|(?P<env>env):(?P<variable>[A-Za-z_][A-Za-z0-9_]{0,99})"
    r"|(?P<file>file):(?P<path>/[^\x00-\x1f{}\x7f]{1,1000}))\}"
)


class BadSecret(Exception):
    """A reference that does not lead to a usable secret. The text is for the operator and holds no secret."""


def holds_reference(text: str) -> bool:
    """Whether a reference stands in the text, usable or not."""
    return re.search(r"\$\{(credential|env|file):", text) is not None


class Vault:
    """Reads secrets for the configuration file in `folder`.

    With `reading=False` references are only checked for their form, and every secret is empty: for commands that
    somebody runs by hand who may not read the service's secrets.
    """

    def __init__(self, folder: Path, *, reading: bool = True) -> None:
        self._folder = folder / "credentials"
        self._reading = reading
        if reading:
            _keep_memory_private()

    def resolve(self, reference: object, name: str) -> str:
        """The secret behind a reference; BadSecret tells what to do. `name` is a good name for the credential."""
        match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
        if match is None:
            raise BadSecret(self._how_to(reference, name))
        if not self._reading:
            return ""
        if match["env"]:
            return self._checked(
                os.environ.get(match["variable"]), f"the environment variable {match['variable']}"
            )
        if match["file"]:
            return self._file(Path(match["path"]), private=True)
        return self._credential(match["name"])

    def _how_to(self, value: object, name: str) -> str:
        if isinstance(value, str) and re.search(r"\$\{|^\s*[${]*(credential|env|file):", value):
            return "must be ${credential:NAME}, ${env:NAME} or ${file:/path}, exactly so and nothing around it"
        return (
            f"a secret must not stand in this file; put it into {self._folder / name} (folder mode 0700), write "
            f"${{credential:{name}}} here, and have this one replaced if others could read it"
        )

    def _credential(self, name: str) -> str:
        given = os.environ.get(SYSTEMD_FOLDER)
        if not given:
            self._refuse_open(self._folder, "0700")
            return self._file(self._folder / name, private=False)
        # systemd hands over copies; where they came from may lie open all the same.
        self._refuse_open(self._folder, "0700")
        places = [Path(given) / name, Path(given) / (SYSTEMD_PREFIX + name)]
        for place in places:
            if _is_there(place):
                return self._file(place, private=False)
        raise BadSecret(
            f"systemd handed over no credential {name} (neither {places[0]} nor {places[1]}); add it to "
            "LoadCredential= of the unit"
        )

    def _file(self, path: Path, *, private: bool) -> str:
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise BadSecret(f"{path} is not a file with a secret")
            if private:
                self._refuse_open(path, "0600")
            with path.open("rb") as stream:
                content = stream.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise BadSecret(f"{path} is larger than {LARGEST // 1024} kB, which no secret is")
            secret = content.decode("utf-8")
        except FileNotFoundError:
            raise BadSecret(f"the file {path} does not exist; put the secret into it") from None
        except PermissionError:
            raise BadSecret(f"the file {path} may not be read by this user") from None
        except UnicodeDecodeError:
            raise BadSecret(f"the file {path} is not UTF-8 text") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise BadSecret(f"the file {path} cannot be read ({reason})") from None
        return self._checked(secret, f"the file {path}")

    def _checked(self, secret: str | None, source: str) -> str:
        if secret is None:
            raise BadSecret(f"{source} is not set")
        # Editors and `echo` end a file with one line end; a secret may end with more of them only on purpose.
        secret = secret.removesuffix("\n").removesuffix("\r") if secret.endswith("\n") else secret
        if not secret.strip():
            raise BadSecret(f"{source} is empty")
        if re.search(r"[\ud800-\udfff]", secret):
            raise BadSecret(f"{source} is not UTF-8 text")
        return secret

    def _refuse_open(self, path: Path, mode: str) -> None:
        """Refuse what users other than the owner may reach."""
        try:
            reachable = path.stat().st_mode & 0o077
        except (OSError, ValueError):
            return  # the reader finds better words
        if reachable:
            raise BadSecret(f"{path} is open to other users; run: chmod {mode} {path}")


def _keep_memory_private() -> None:
    """Let a crash of this process write no core file, and only root look into it: it is about to hold secrets."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # A program that the kernel hands core files to (core_pattern with a pipe) need not keep to that limit, and
    # other processes of the same user could read our memory.
    with contextlib.suppress(OSError, AttributeError):  # only Linux has it
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # the reader finds words for why it cannot be looked at
