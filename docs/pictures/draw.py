#!/usr/bin/env python3
"""Draws the pictures of the book: docs/pictures/NAME.txt becomes docs/src/pictures/NAME.svg.

README.md describes the format of the texts, and style.css has the colours. Without arguments it draws all pictures.
With --check it compares the drawn ones with their texts. The same text always gives the same bytes.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
TARGET = SOURCES.parent / "src" / "pictures"

WIDTH = 760
PAD = 22
GUTTER = 108  # the column for times
GAP = 14  # above each thing
LINE = 17  # the height of a line of text
SIZE = 13  # the size of its letters
BOLD = 14.5  # the same for bold letters, which are wider
CODE = 7.4  # the width of each letter of code
# The width of letters in a wide sans-serif font, as a part of their size: those that are not like the others.
WIDTHS = dict.fromkeys("ijl'.,:;|! ", 0.36) | dict.fromkeys('()[]ftrI/-"', 0.45) | dict.fromkeys("mwMW%@", 1.0)

ARROW = re.compile(r"(\w+) (->|\.\.>|~>|<->|-x|\.\.x) (\w+):\s*(.*)")
STATEMENT = re.compile(r"(\w+)((?: \w+)*):\s*(.*)")
TONES = {"+": "good", "!": "bad"}


class Problem(Exception):
    """What is wrong with a text."""


@dataclass
class Step:
    """A statement: what it is (a keyword, or "arrow"), whom it concerns, and what it says."""

    kind: str
    names: list[str]
    text: str
    arrow: str = ""


@dataclass
class Picture:
    """A text that was read."""

    title: str = ""
    about: str = ""
    parties: dict[str, Step] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def read(source: str) -> Picture:
    """Reads a text."""
    picture = Picture()
    for line in statements(source):
        if arrow := ARROW.fullmatch(line):
            start, style, end, text = arrow.groups()
            picture.steps.append(Step("arrow", [start, end], text, style))
        elif statement := STATEMENT.fullmatch(line):
            keyword, names, text = statement.groups()
            add(picture, Step(keyword, names.split(), text))
        else:
            raise Problem(f"not a statement: {line}")
    unknown = set(sum(picture.rows + [step.names for step in picture.steps], [])) - set(picture.parties)
    if unknown or not (picture.title and picture.about):
        raise Problem(f"not declared: {', '.join(sorted(unknown)) or 'title or about'}")
    periods = [step.kind for step in picture.steps if step.kind in ("begin", "end")]
    if periods != ["begin", "end"] * (len(periods) // 2):
        raise Problem("each begin needs an end, before the next begin")
    return picture


def statements(source: str) -> list[str]:
    """The statements of a text. A line that begins with a space continues the one before."""
    found: list[str] = []
    for line in source.splitlines():
        if line.startswith(" ") and found:
            found[-1] += " " + line.strip()
        elif line.strip() and not line.startswith("#"):
            found.append(line.strip())
    return found


def add(picture: Picture, step: Step) -> None:
    """Adds a statement that is not an arrow."""
    if step.kind in ("title", "about"):
        setattr(picture, step.kind, step.text)
    elif step.kind in ("who", "many"):
        picture.parties[step.names[0]] = step
    elif step.kind == "row":
        picture.rows.append(step.text.split())
    elif step.kind in ("note", "section", "at", "begin", "end"):
        picture.steps.append(step)
    else:
        raise Problem(f"unknown keyword: {step.kind}")


def width_of(text: str, size: float) -> float:
    """How wide a line gets in a wide font. What is between backticks is code."""
    width = 0.0
    for number, part in enumerate(text.split("`")):
        letters = (WIDTHS.get(letter, 0.72 if letter.isupper() else 0.64) for letter in part)
        width += len(part) * CODE if number % 2 else sum(letters) * size
    return width


def wrap(source: str, limit: float, size: float) -> list[str]:
    """Breaks a text into lines that are not wider than a limit."""
    source = re.sub("`[^`]*`", lambda code: code[0].replace(" ", "` `"), source)
    lines: list[str] = []
    for word in source.split():
        if width_of(word, size) > limit:
            raise Problem(f"no room for {word} in: {source}")
        if lines and width_of(f"{lines[-1]} {word}", size) <= limit:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def balanced(source: str, limit: float, size: float) -> list[str]:
    """The same, with lines of about the same width."""
    lines = narrower = wrap(source, limit, size)
    while lines and len(narrower) == len(lines):
        lines = narrower
        try:
            narrower = wrap(source, max(width_of(line, size) for line in lines) - 1, size)
        except Problem:
            break
    return lines


class Text:
    """A text that was broken into lines, and at each `|`. It has a tone if it begins with one of TONES."""

    def __init__(self, source: str, limit: float, kind: str = "", size: float = SIZE):
        mark, _, rest = source.partition(" ")
        self.tone = TONES.get(mark, "")
        self.kind = kind
        parts = (rest if self.tone else source).split(" | ")
        self.lines = [line for part in parts for line in balanced(part, limit, size)]
        self.width = max((width_of(line, size) for line in self.lines), default=0)
        self.height = len(self.lines) * LINE


class Canvas:
    """The shapes of a picture; those behind are drawn first."""

    def __init__(self) -> None:
        self.behind: list[str] = []
        self.shapes: list[str] = []

    def text(self, text: Text, x: float, top: float, anchor: str = "middle") -> None:
        for number, line in enumerate(text.lines):
            parts = escape(line.replace("` `", " "), quote=False).split("`")
            inner = "".join(f'<tspan class="code">{part}</tspan>' if i % 2 else part for i, part in enumerate(parts))
            where = f'x="{x:g}" y="{top + number * LINE + SIZE:g}" text-anchor="{anchor}"'
            self.shapes.append(f"<text{classes(text.kind, text.tone)} {where}>{inner}</text>")

    def box(self, kind: str, left: float, top: float, width: float, height: float, radius: float = 6) -> None:
        size = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
        self.shapes.append(f"<rect{classes(kind)} {size}/>")

    def line(self, kind: str, x1: float, y1: float, x2: float, y2: float, behind: bool = False) -> None:
        shape = f'<path{classes(kind)} d="M{x1:g} {y1:g}L{x2:g} {y2:g}"/>'
        (self.behind if behind else self.shapes).append(shape)

    def arrow(self, style: str, tone: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """A horizontal or vertical arrow. One that is lost ends on its way, with a cross."""
        if style.endswith("x"):
            x2, tone = x1 + (x2 - x1) * 0.75, "bad"
            self.line("line bad", x2 - 5, y2 - 5, x2 + 5, y2 + 5)
            self.line("line bad", x2 - 5, y2 + 5, x2 + 5, y2 - 5)
        else:
            self.tip(tone, x1, y1, x2, y2)
        if style.startswith("<"):
            self.tip(tone, x2, y2, x1, y1)
        dash = {"..": "answer", "~>": "either"}.get(style[:2], "")
        self.line(f"line {dash} {tone}", x1, y1, x2, y2)

    def tip(self, tone: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """The head of an arrow."""
        along, down = sign(x2 - x1), sign(y2 - y1)
        x, y = x2 - 10 * along, y2 - 10 * down
        left, right = f"{x + 5 * down:g} {y + 5 * along:g}", f"{x - 5 * down:g} {y - 5 * along:g}"
        self.shapes.append(f'<path{classes("tip", tone)} d="M{x2:g} {y2:g}L{left}L{right}Z"/>')

    def note(self, text: Text, left: float, top: float, width: float) -> float:
        """A text in a box. Returns the bottom."""
        self.box(f"note {text.tone}", left, top, width, text.height + 12)
        self.text(text, left + width / 2, top + 6)
        return top + text.height + 12

    def parties(self, parties: list[Step], lefts: list[float], top: float, width: float) -> float:
        """Participants in a row: boxes with names and descriptions. Many of a kind are a pile. Returns the bottom."""
        texts = []
        for party in parties:
            name, _, rest = party.text.partition(" | ")
            texts.append((Text(name, width - 12, "name", BOLD), Text(rest, width - 12)))
        height = max(name.height + rest.height for name, rest in texts) + 14
        for party, left, (name, rest) in zip(parties, lefts, texts):
            for shift in (8, 4, 0) if party.kind == "many" else (0,):
                self.box("head", left + shift, top - shift, width, height)
            middle = top + (height - name.height - rest.height) / 2
            self.text(name, left + width / 2, middle)
            self.text(rest, left + width / 2, middle + name.height)
        return top + height


def sign(number: float) -> int:
    return (number > 0) - (number < 0)


def classes(*names: str) -> str:
    text = " ".join(" ".join(names).split())
    return f' class="{text}"' if text else ""


class Sequence(Canvas):
    """A sequence diagram: each participant has a lane, and time runs down."""

    def __init__(self, picture: Picture, top: float):
        super().__init__()
        timed = any(step.kind in ("at", "begin") for step in picture.steps)
        self.left = PAD + (GUTTER if timed else 0)
        self.lane = (WIDTH - PAD - self.left) / len(picture.parties)
        self.lanes = {name: self.left + self.lane * (i + 0.5) for i, name in enumerate(picture.parties)}
        self.times: list[tuple[float, float]] = []  # the texts in the gutter: where they begin and end
        self.period = (0.0, "")  # where it began, and its text
        width = min(self.lane - 18, 190)
        lefts = [x - width / 2 for x in self.lanes.values()]
        self.y = start = self.parties(list(picture.parties.values()), lefts, top, width)
        for step in picture.steps:
            getattr(self, step.kind + "_step")(step)
        self.bottom = self.y + GAP
        for x in self.lanes.values():
            self.line("life", x, start, x, self.bottom, behind=True)

    def arrow_step(self, step: Step) -> None:
        start, end = (self.lanes[name] for name in step.names)
        text = Text(step.text, abs(end - start) - 24)
        top, middle = self.y + GAP, (start + end) / 2
        if any(min(start, end) < x < max(start, end) for x in self.lanes.values()):
            self.box("back", middle - text.width / 2 - 3, top, text.width + 6, text.height, 0)
        self.text(text, middle, top)
        self.y = top + text.height + 8
        side = 2 * sign(end - start)
        self.arrow(step.arrow, text.tone, start + side, self.y, end - side, self.y)

    def note_step(self, step: Step) -> None:
        places = sorted(self.lanes[name] for name in step.names) or list(self.lanes.values())
        room, is_wide = places[-1] - places[0] + self.lane - 12, len(places) > 1
        is_outer = places[0] - self.left < self.lane or WIDTH - PAD - places[0] < self.lane
        text = Text(step.text, (room if is_wide else self.lane * (1.4 if is_outer else 1.8)) - 20)
        width = room if is_wide else text.width + 20
        left = max(self.left, min((places[0] + places[-1] - width) / 2, WIDTH - PAD - width))
        self.y = self.note(text, left, self.y + GAP, width)

    def section_step(self, step: Step) -> None:
        text = Text(step.text, WIDTH / 2, "name quiet", BOLD)
        top = self.y + GAP + 6
        self.line("rule", PAD, top + 9, WIDTH - PAD, top + 9, behind=True)
        self.box("back", PAD, top, text.width + 4, LINE, 0)
        self.text(text, PAD, top, "start")
        self.y = top + LINE

    def at_step(self, step: Step) -> None:
        self.y += GAP
        self.line("rule", self.left - 20, self.y, WIDTH - PAD, self.y, behind=True)
        self.beside(Text(step.text, GUTTER - 26, "name", BOLD), self.y)

    def begin_step(self, step: Step) -> None:
        self.period = (self.y, step.text)

    def end_step(self, _: Step) -> None:
        top, source = self.period
        text = Text(source, GUTTER - 26)
        self.box(f"bar {text.tone}", self.left - 16, top + 1, 8, self.y - top - 2, 3)
        self.beside(text, (top + self.y) / 2)

    def beside(self, text: Text, middle: float) -> None:
        """A text in the gutter."""
        top, bottom = middle - text.height / 2, middle + text.height / 2
        if any(top < other_bottom and other_top < bottom for other_top, other_bottom in self.times):
            raise Problem(f"no room in the gutter for: {' '.join(text.lines)}")
        self.times.append((top, bottom))
        self.text(text, self.left - 24, top, "end")


class Boxes(Canvas):
    """Boxes in rows, arrows between neighbours, and notes below."""

    def __init__(self, picture: Picture, top: float):
        super().__init__()
        self.declared = picture.parties
        self.arrows = [step for step in picture.steps if step.kind == "arrow"]
        self.places: dict[str, tuple[float, float, float, float]] = {}  # left, top, right, bottom
        self.bottom = top
        for number, row in enumerate(picture.rows):
            self.bottom = self.row(row, self.bottom + (self.room(picture.rows[number - 1], row) if number else 0))
        for step in picture.steps:
            if step.kind == "note":
                text = Text(step.text, WIDTH - 2 * PAD - 24)
                self.bottom = self.note(text, PAD, self.bottom + GAP, WIDTH - 2 * PAD)
            elif set(step.names) <= set(next(row for row in picture.rows if step.names[0] in row)):
                self.across(step)
            else:
                self.down(step)

    def room(self, above: list[str], below: list[str]) -> float:
        """The room between two rows, for the texts of the arrows."""
        texts = [s.text for s in self.arrows if set(s.names) & set(above) and set(s.names) & set(below)]
        return max((text.count("|") + bool(text) for text in texts), default=0) * LINE + 30

    def row(self, row: list[str], top: float) -> float:
        """Draws the boxes of a row. Arrows between them have room for their texts."""
        space = 160 if any(set(step.names) <= set(row) for step in self.arrows) else 28
        width = (WIDTH - 2 * PAD - space * (len(row) - 1)) / len(row)
        lefts = [PAD + number * (width + space) for number in range(len(row))]
        parties = [self.declared[name] for name in row]
        pile = 8 if any(party.kind == "many" for party in parties) else 0
        bottom = self.parties(parties, lefts, top, width - pile)
        self.places |= {name: (left, top, left + width, bottom) for name, left in zip(row, lefts)}
        return bottom

    def across(self, step: Step) -> None:
        """An arrow within a row, below its text."""
        first, second = (self.places[name] for name in step.names)
        start, end = (first[2], second[0]) if first[0] < second[0] else (first[0], second[2])
        text, y, side = Text(step.text, abs(end - start) - 24), (first[1] + first[3]) / 2, 4 * sign(end - start)
        self.text(text, (start + end) / 2, y - text.height - 6)
        self.arrow(step.arrow, text.tone, start + side, y, end - side, y)

    def down(self, step: Step) -> None:
        """An arrow between two rows, to the left of its text. Several between the same boxes share the room."""
        first, second = (self.places[name] for name in step.names)
        start, end = (first[3], second[1]) if first[1] < second[1] else (first[1], second[3])
        left, right = max(first[0], second[0]), min(first[2], second[2])
        alike = [other for other in self.arrows if set(other.names) == set(step.names)]
        share, number, side = (right - left) / len(alike), alike.index(step), 4 * sign(end - start)
        x = left + share * (number + (0.5 if len(alike) == 1 else 0.22))
        text = Text(step.text, left + share * (number + 1) - x - 14)
        if text.height > abs(end - start) - 20:
            raise Problem(f"no room between the rows for: {step.text}")
        self.text(text, x + 10, (start + end - text.height) / 2, "start")
        self.arrow(step.arrow, text.tone, x, start + side, x, end - side)


def draw(source: str, name: str) -> str:
    """The SVG of a text."""
    picture = read(source)
    title = Text(picture.title, WIDTH - 2 * PAD, "title", 18)
    canvas = (Boxes if picture.rows else Sequence)(picture, PAD + title.height + 22)
    canvas.text(title, PAD, PAD, "start")
    height = round(canvas.bottom + PAD)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{escape(picture.title, quote=False)}</title>',
        f'<desc id="{name}-desc">{escape(picture.about, quote=False)}</desc>',
        f"<style>\n{(SOURCES / 'style.css').read_text(encoding='utf-8')}</style>",
        f'<rect class="panel" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
        *canvas.behind,
        *canvas.shapes,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    """Draws or checks all pictures. Returns 1 if something is wrong with one."""
    parser = argparse.ArgumentParser(description="Draws the pictures of the book from their texts.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a picture is not as its text says")
    check = parser.parse_args().check
    problems = []
    for path in sorted(SOURCES.glob("*.txt")):
        target = TARGET / f"{path.stem}.svg"
        try:
            drawn = draw(path.read_text(encoding="utf-8"), path.stem).encode()
        except Problem as problem:
            problems.append(f"docs/pictures/{path.name}: {problem}")
            continue
        if not check:
            target.write_bytes(drawn)
        elif not target.is_file() or target.read_bytes() != drawn:
            problems.append(f"docs/src/pictures/{target.name} differs from what docs/pictures/{path.name} gives")
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
