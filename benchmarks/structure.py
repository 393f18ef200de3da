"""The size and shape of the code: what docs/architecture.md compares before and after a change of the structure.

    python benchmarks/structure.py            (of the attrex that Python imports)

Counted are the modules of the package: files, lines, functions, names that more than one module defines at its top
level (dunders left out), parameters of the command line, settings.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrex

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def top_level(tree: ast.Module) -> Iterator[str]:
    """The names that a module defines at its top level, imports left out."""
    for node in tree.body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def code_figures(root: Path) -> dict[str, object]:
    """Figures that the source alone tells."""
    sources = [path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))]
    trees = [ast.parse(source) for source in sources]
    lines = sum(source.count("\n") for source in sources)
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    names = Counter(name for tree in trees for name in {*top_level(tree)} if not name.startswith("__"))
    homonyms = sorted(name for name, times in names.items() if times > 1)
    private = [node.name for node in functions if node.name.startswith("_") and not node.name.startswith("__")]
    text = "\n".join(sources)
    return {
        "files": len(sources),
        "lines": lines,
        "functions per 1,000 lines": round(1000 * len(functions) / lines, 1),
        "longest function, lines": max((node.end_lineno or 0) - node.lineno + 1 for node in functions),
        "largest file, lines": max(source.count("\n") for source in sources),
        "names at the top of modules": len(names),
        "names defined twice or more": len(homonyms),
        "private functions": len(private),
        "private functions used once": sum(text.count(name) == 2 for name in {*private}),
        "which": ", ".join(homonyms),
    }


def command_line() -> dict[str, int]:
    """Commands and their parameters, --help left out."""
    import typer

    from attrex.cli import app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return {"commands": len(commands), "parameters of commands": sum(len(c.params) for c in commands.values())}


def settings() -> int:
    """Settings of a configuration that can be changed with --set."""
    from attrex.config import Config

    sections = [field.annotation for field in Config.model_fields.values()]
    return sum(len(s.model_fields) for s in sections if hasattr(s, "model_fields"))


def main() -> None:
    found = code_figures(Path(attrex.__file__).parent) | command_line() | {"settings": settings()}
    for name, figure in found.items():
        print(f"{name:30} {figure:,}" if isinstance(figure, int) else f"{name:30} {figure}")


if __name__ == "__main__":
    main()
