"""How do the front end's modules become one script and one style sheet for each view?

Streamlit takes a component as the text of one module, so the modules that a view
needs are joined here: each after the ones it imports, in the order in which a
browser would run them. Imports, exports, comments, indentation and spare line breaks are left out,
because both texts are sent with every refresh.

This is not a parser. It knows the few forms that our modules use, refuses
everything else and says what to write instead. Biome, which does parse the
modules, checks them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

# The formatter puts every top-level statement at the start of a line.
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function|class) \w)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default (?=(?:async )?(?:function|class) \w)", re.MULTILINE)
_DECLARED = re.compile(r"^(export )?(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
_UNKNOWN = re.compile(r"^(?:import\b|export\b|var\b|(?:const|let) [{\[]).*", re.MULTILINE)


# In a sheet: the space of a declaration, and line breaks that end nothing.
_SPACED = re.compile(r"^([\w-]+): (?=.*;$)")
_INSIDE = re.compile(r"(?<=[{;},:])\n")

# In a script: spaces around signs, which mean something only in texts, templates, patterns and comments. Not
# around plus and minus: "a + +b" is not "a++b".
_WORDS = re.compile(r"[\"'`/]")
_AROUND = re.compile(r" ?([=<>&|?:,{}()*]+) ?")

_FORMS = (
    'write import { a, b } from "./module.js", and declare or export one const, function or class at a time'
)


class AssemblyError(ValueError):
    """The modules cannot be joined; `str()` names the module and says what to change."""


@dataclass(frozen=True)
class _Module:
    """A module without its import statements, and the names it imports, declares and exports."""

    name: str
    imports: Mapping[str, tuple[str, ...]]
    declared: tuple[str, ...]
    exported: frozenset[str]
    body: str


@dataclass(frozen=True)
class Assembled:
    """What the browser gets: one module, whose only export is that of the entry, and one style sheet."""

    script: str
    sheet: str


def assemble(
    modules: Mapping[str, str], sheets: Mapping[str, str], entries: Mapping[str, str]
) -> dict[str, Assembled]:
    """Join what each of *entries* imports; all are texts by file name, and so is the result.

    An entry is a module with a default export. Of *modules* and *sheets* it gets those that it needs. A sheet
    belongs to the module of the same name and is placed in the same order: a view's own rules come after the
    general ones.
    """
    known = {name: _read(name, text, entry=False) for name, text in modules.items()}
    joined = {}
    used: set[str] = set()
    for entry, text in entries.items():
        ordered = _ordered({**known, entry: _read(entry, text, entry=True)}, entry)
        _check_names({module.name: module for module in ordered}, ordered)
        used |= {module.name for module in ordered}
        styled = [module.name.replace(".js", ".css") for module in ordered]
        joined[entry] = Assembled(
            script="".join(f"// {module.name}\n{module.body}\n" for module in ordered),
            sheet="".join(f"{_css(name, sheets[name])}\n" for name in styled if name in sheets),
        )
    if unused := sorted(modules.keys() - used):
        raise AssemblyError(f"Nothing imports {', '.join(unused)}.")
    for name in sorted(sheets.keys() - {name.replace(".js", ".css") for name in used}):
        _refuse(name, "it belongs to no module", f"call it as one, or add {name.replace('.css', '.js')}")
    return joined


def _read(name: str, text: str, *, entry: bool) -> _Module:
    imports = {}
    for names, other in _IMPORT.findall(text):
        if " as " in names:
            _refuse(name, f"it imports from {other} under another name", "import a name as it is exported")
        imports[other] = tuple(names.replace(",", " ").split())
    text = _IMPORT.sub("", text)
    declared = _DECLARED.findall(_DEFAULT.sub("", text))
    body = _EXPORT.sub("", text)
    rest = body
    if entry:
        rest, defaults = _DEFAULT.subn("", body)
        if defaults != 1:
            _refuse(name, f"it has {defaults} default exports", "export one function as the default")
    if unknown := _UNKNOWN.search(rest):
        _refuse(name, f"cannot join {unknown.group()!r}", _FORMS)
    return _Module(
        name,
        imports,
        tuple(found for _, found in declared),
        frozenset(found for exported, found in declared if exported),
        _js(name, body),
    )


def _ordered(modules: Mapping[str, _Module], entry: str) -> Sequence[_Module]:
    """Order *modules* as a browser runs them: depth first, in the order of their imports."""
    done: dict[str, _Module] = {}
    entered: list[str] = []

    def enter(name: str, importer: str) -> None:
        if name in done:
            return
        if name not in modules:
            raise AssemblyError(f"{importer} imports {name}, which is not there.")
        if name in entered:
            circle = [*entered[entered.index(name) :], name]
            raise AssemblyError(f"Modules import each other in a circle: {' -> '.join(circle)}.")
        entered.append(name)
        for other in modules[name].imports:
            enter(other, name)
        done[name] = modules[entered.pop()]

    enter(entry, "The component")
    return [*done.values()]


def _check_names(modules: Mapping[str, _Module], ordered: Iterable[_Module]) -> None:
    """Joined modules share one scope: a name may be declared only once."""
    owner: dict[str, str] = {}
    for module in ordered:
        for declared in module.declared:
            if declared in owner:
                _refuse(module.name, f"{declared} is declared in {owner[declared]} too", "rename one of them")
            owner[declared] = module.name
        for other, names in module.imports.items():
            if missing := sorted(set(names) - modules[other].exported):
                _refuse(module.name, f"{other} does not export {', '.join(missing)}", "export it there")


def _js(name: str, text: str) -> str:
    lines = [line for line in _stripped(text) if not line.startswith("//")]
    for line in lines:
        if line.startswith("/*"):
            _refuse(name, f"cannot leave out {line!r}", "begin each line of a comment with //")
        if line.count("`") % 2:
            _refuse(name, f"a template goes on after {line!r}", "keep it on one line")
    spare = [
        line.replace(") => ", ")=>") if _WORDS.search(line) else _AROUND.sub(r"\1", line) for line in lines
    ]
    return "".join(line if _goes_on(line) else f"{line}\n" for line in spare).rstrip("\n")


def _goes_on(line: str) -> bool:
    """Whether the line break after *line* means nothing, not even the end of a statement or of a comment.

    The formatter ends every statement with a semicolon, so a brace at the end of a line ends a block.
    """
    return line.endswith(("(", "[", "{", ",", ";", "}")) and "//" not in line


def _css(name: str, text: str) -> str:
    lines = []
    for line in _stripped(text):
        if not line.startswith("/*"):
            lines.append(line)
        elif line.find("*/") != len(line) - 2:
            _refuse(name, f"cannot leave out {line!r}", "keep a comment on a line of its own")
    # The formatter's line breaks and spaces are a seventh of a sheet.
    return _INSIDE.sub(
        "", "\n".join(_SPACED.sub(r"\1:", line).replace(" {", "{").replace(", ", ",") for line in lines)
    )


def _stripped(text: str) -> Iterable[str]:
    return filter(None, map(str.strip, text.split("\n")))


def _refuse(name: str, problem: str, instead: str) -> NoReturn:
    raise AssemblyError(f"{name}: {problem}: {instead}.")
