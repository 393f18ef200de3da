"""What MkDocs calls while it builds the site: pages that are made or included, and links that leave ``docs/``.

The pages in ``docs/`` link as GitHub reads them: ``../CHANGELOG.md``, ``../examples/shop.yaml``. On the site the pages
of :data:`INCLUDED` are pages, too, and any other file of the repository is copied beside them.
"""

from __future__ import annotations

import inspect
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
INCLUDED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "paper/recipes/README.md": "paper/recipes.md",
}
"""Pages outside of ``docs/``, and where they are on the site."""
FILES = "repository"
"""The directory of the site with files from outside ``docs/`` that pages link to."""
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"(```.*?```)", re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the included pages, and the files of the repository that any page links to."""
    from mkdocs.structure.files import File

    pages = {page.src_uri: Path(page.abs_src_path) for page in files.documentation_pages()}
    for name, page in INCLUDED.items():
        files.append(File.generated(config, page, content=site_links((ROOT / name).read_text(encoding="utf-8"), name)))
    sources = {"docs/" + uri: path for uri, path in pages.items()} | {name: ROOT / name for name in INCLUDED}
    for linked in sorted({file for name, path in sources.items() for file in linked_files(path, name)}):
        files.append(File.generated(config, f"{FILES}/{linked}", abs_src_path=str(ROOT / linked)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """A page of ``docs/`` with its generated part, and its links as the site needs them."""
    if page.file.generated_by:
        return markdown
    for mark, generate in (("<!-- commands -->", commands), ("<!-- names -->", names)):
        if mark in markdown:
            markdown = markdown.replace(mark, generate())
    return site_links(markdown, "docs/" + page.file.src_uri)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Sphinx's roles in docstrings (``:class:`Schema```) as plain code."""
    return re.sub(r":(?:class|meth|func|data|mod|attr):<code>~?\.?", "<code>", html)


def site_links(markdown: str, page: str) -> str:
    """The page with its links as the site needs them; ``page`` is its path in the repository."""
    here = posixpath.dirname(_on_site(page))

    def relink(match: re.Match[str]) -> str:
        file, anchor = _target(page, match["target"])
        if file is None:
            return match[0]
        if (ROOT / file).is_dir():  # has no page
            return match["text"]
        return f"{match['image']}[{match['text']}]({posixpath.relpath(_on_site(file), here or '.')}{anchor})"

    return "".join(part if part.startswith("```") else LINK.sub(relink, part) for part in CODE.split(markdown))


def linked_files(path: Path, page: str) -> Iterator[str]:
    """Files of the repository, outside ``docs/`` and no pages of the site, that a page links to."""
    for part in CODE.split(path.read_text(encoding="utf-8"))[::2]:
        for match in LINK.finditer(part):
            file, _ = _target(page, match["target"])
            if file is not None and _on_site(file).startswith(FILES + "/") and (ROOT / file).is_file():
                yield file


def _target(page: str, link: str) -> tuple[str | None, str]:
    """The file of the repository a link of ``page`` names, and its anchor; None for an address or bare anchor."""
    path, hash_, anchor = link.partition("#")
    if not path or "://" in path or path.startswith("mailto:"):
        return None, ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)), hash_ + anchor


def _on_site(file: str) -> str:
    """Where a file of the repository is on the site."""
    return INCLUDED.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else f"{FILES}/{file}")


def names() -> str:
    """The public names of the package, in functions and classes; mkdocstrings fills in what they are."""
    import attrex

    parts = ["## Functions", *(f"::: attrex.{name}" for name in attrex.__all__ if name[0].islower())]
    parts += ["## Classes", *(f"::: attrex.{name}" for name in attrex.__all__ if name[0].isupper())]
    return "\n\n".join(parts)


def commands() -> str:
    """Every command with its arguments and options, from the command line itself."""
    import typer

    from attrex.cli import app

    group: Any = typer.main.get_command(app)
    return "\n\n".join(part for name, command in group.commands.items() for part in _command(name, command, "##"))


def _command(name: str, command: Any, heading: str) -> list[str]:
    """The parts of a command's section; of a group also those of its commands."""
    if hasattr(command, "commands"):
        own = [f"{heading} {name}", _help(command.help)]
        parts = [part for n, c in command.commands.items() for part in _command(f"{name} {n}", c, heading + "#")]
        return own + parts
    context = command.make_context(name, [], resilient_parsing=True)
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    arguments = " ".join(_argument(p) for p in shown if p.param_type_name == "argument")
    rows = [f"| {_name(p)} | {_cell(_help(p.help or ''))}{_default(p, context)} |" for p in shown]
    return [
        f"{heading} {name}",
        _help(command.help),
        f"```text\nattrex {name} {arguments} [OPTIONS]\n```".replace("  ", " "),
        *(["\n".join(["| argument, option | meaning |", "|---|---|", *rows])] if rows else []),
    ]


def _argument(parameter: Any) -> str:
    name: str = parameter.metavar or parameter.name.upper()
    return name + ("..." if parameter.nargs != 1 and " " not in name else "")


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names + (", required" if parameter.required else "") + (", repeatable" if parameter.multiple else "")


def _default(parameter: Any, context: Any) -> str:
    value = parameter.get_default(context)
    return "" if value is None or isinstance(value, bool | list | tuple) else f" Default: `{value}`."


def _help(text: str | None) -> str:
    """Help as Markdown: examples are code, in place of the terminal's bold."""
    return re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", inspect.cleandoc(text or ""), flags=re.DOTALL)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
