"""YAML text → plain values that remember their lines.

Stricter than YAML on purpose: no anchors (an alias can blow up), no tags, no duplicate keys, no 'yes' that turns
into true. Everything is text but whole numbers, decimals, true, false and nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES = 256 * 1024
MAX_DEPTH = 30

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file, and what its author should do."""

    line: int
    """From 1."""
    what: str
    todo: str

    def text(self, file: str) -> str:
        """Write it as `file:line: what; what to do`."""
        return f"{file}:{self.line}: {self.what}; {self.todo}"


@dataclass
class Source:
    """A parsed YAML file."""

    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    _lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Sequence[str | int]) -> int:
        """Return the line of the deepest part of `path` that the file has; parts it lacks are skipped."""
        found: Path = ()
        for part in path:
            if (*found, part) in self._lines:
                found = (*found, part)
        return self._lines.get(found, 1)

    def has(self, path: Sequence[str | int]) -> bool:
        """Tell whether the file has exactly this path."""
        return tuple(path) in self._lines

    def problem(self, path: Sequence[str | int], what: str, todo: str) -> None:
        """Note a problem at a path."""
        self.problems.append(Problem(self.line_of(path), what, todo))


def read_source(text: str) -> Source:
    """Parse YAML text. What is wrong with it is in the result's `problems`; then its value is None."""
    source = Source()
    if len(text.encode()) > MAX_BYTES:
        source.problems.append(
            Problem(1, f"the file is larger than {MAX_BYTES // 1024} KB", "split it into several flows")
        )
        return source
    try:
        source.problems += _refused_events(text)
        root = None if source.problems else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as err:
        source.problems.append(_syntax_problem(err))
        return source
    except yaml.YAMLError:
        source.problems.append(
            Problem(1, "the file holds characters that YAML does not allow", "save it as plain UTF-8 text")
        )
        return source
    if source.problems:
        return source
    if root is None:
        source.problems.append(Problem(1, "the file is empty", "start with 'flow: NAME'"))
        return source
    value = _build(root, (), source)
    source.value = None if source.problems else value
    return source


def _refused_events(text: str) -> list[Problem]:
    """Look for what is refused before any tree is built from it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            return [Problem(line, "anchors (&name) and aliases (*name) are not allowed", "write the text out")]
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            return [Problem(line, f"brackets or indents are nested more than {MAX_DEPTH} deep", "flatten this part")]
        if getattr(event, "tag", None) not in (None, "!"):
            return [Problem(line, "tags (!name) are not allowed", "remove the tag")]
    return []


def _syntax_problem(err: yaml.MarkedYAMLError) -> Problem:
    mark = err.problem_mark or err.context_mark
    line = mark.line + 1 if mark is not None else 1
    problem = err.problem or "it is not YAML"
    if "but got '?'" in problem or ("expected ',' or" in problem and "but got ':'" in problem):
        return Problem(
            line, f"a '{problem[-2]}' stands inside {{ }} or [ ]", "close the bracket, or put the text in quotes"
        )
    if "mapping values are not allowed" in problem:
        return Problem(line, "a ':' stands where none can", "put the text in quotes, or check the indent")
    if "found character '\\t'" in problem:
        return Problem(line, "the line is indented with a tab", "use spaces")
    if "but found another document" in problem:
        return Problem(line, "a second document starts with '---'", "write one flow per file")
    return Problem(line, f"the YAML is broken: {problem}", "check quotes, brackets and indents around here")


def _build(node: Node, path: Path, source: Source) -> Any:
    source._lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        return _build_mapping(node, path, source)
    if isinstance(node, SequenceNode):
        return [_build(item, (*path, index), source) for index, item in enumerate(node.value)]
    if isinstance(node, ScalarNode):
        return _scalar(node)
    return None


def _build_mapping(node: MappingNode, path: Path, source: Source) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            source.problems.append(Problem(line, "a key is not plain text", "write 'name: value'"))
            continue
        key = str(key_node.value)
        if key in built:
            first = source.line_of((*path, key))
            source.problems.append(
                Problem(line, f"'{key}' is given twice (first in line {first})", "keep one of them, or rename one")
            )
            continue
        source._lines[(*path, key)] = line
        built[key] = _build(value_node, (*path, key), source)
    return built


def _scalar(node: ScalarNode) -> str | int | float | bool | None:
    text = str(node.value)
    if node.style is not None:
        return text
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if text in ("", "~", "null"):
        return None
    if re.fullmatch(r"0|-?[1-9][0-9]{0,14}", text):
        return int(text)
    if re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", text):
        return float(text)
    return text
