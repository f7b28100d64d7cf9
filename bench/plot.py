"""Bar charts as SVG, written by hand so that a plot needs no library and reads well on a light and on a dark
page; `frame` is the sheet of every figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.summary import Summary

WIDTH = 760
MARGIN = 12
NAMES = 150  # the column of names
VALUES = 130  # room behind the longest bar for its number
ROW = 24
BAR = 14
HEADING = 34
GAP = 18
TOP = MARGIN + 44  # below the title and the note

# A bar past this many times the shortest one is cut and marked: drawn to scale it would leave the others a
# few pixels.
LONGEST = 4.0

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2933 }
  .page { fill: #ffffff }
  .title { font-weight: 600 }
  .note { font-size: 12px; fill: #5f6b7a }
  .bar { fill: #a3aebb }
  .ours { fill: #2563eb }
  .spread { stroke: #1f2933; stroke-width: 1.5 }
  .cut { stroke: #ffffff; stroke-width: 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb }
    .page { fill: #0d1117 }
    .note { fill: #9aa5b1 }
    .bar { fill: #616e7c }
    .ours { fill: #60a5fa }
    .spread { stroke: #e4e7eb }
    .cut { stroke: #0d1117 }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One row of a panel; `ours` is drawn in the stronger colour, and what does not count has no say in where
    bars are cut.
    """

    name: str
    value: Summary
    ours: bool = False
    counts: bool = True


@dataclass(frozen=True)
class Panel:
    """One chart of a figure: its bars share a scale."""

    title: str
    bars: Sequence[Bar]


def panel_height(panel: Panel) -> int:
    """Pixels, with the gap below."""
    return HEADING + ROW * len(panel.bars) + GAP


def panel_scale(panel: Panel) -> float:
    """The value at the right end of the panel."""
    values = [bar.value.median for bar in panel.bars]
    counting = [bar.value.median for bar in panel.bars if bar.counts] or values
    return min(max(values), min(counting) * LONGEST) or 1.0


def draw_bar(bar: Bar, y: int, scale: float, digits: int) -> list[str]:
    """The elements of one row whose upper edge is at y."""
    room = WIDTH - 2 * MARGIN - NAMES - VALUES
    left = MARGIN + NAMES
    is_cut = bar.value.median > scale
    length = room * min(bar.value.median / scale, 1.0)
    middle = y + ROW / 2
    top = middle - BAR / 2
    right = left + length
    kind = "ours" if bar.ours else "bar"
    parts = [
        f'<text x="{left - 8}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect class="{kind}" x="{left}" y="{top:.1f}" width="{length:.1f}" height="{BAR}" rx="2"/>',
    ]
    if is_cut:
        x = right - 24
        parts.append(f'<path class="cut" d="M{x:.1f} {middle + 9:.1f}l8 -18" fill="none"/>')
        end = right
    else:
        low = left + room * bar.value.least / scale
        high = min(left + room * bar.value.greatest / scale, WIDTH - MARGIN - VALUES / 2)
        parts.append(f'<path class="spread" d="M{low:.1f} {middle:.1f}H{high:.1f}"/>')
        end = max(right, high)
    parts.append(f'<text x="{end + 6:.1f}" y="{middle + 4.5:.1f}">{bar.value.median:,.{digits}f}</text>')
    return parts


def draw(title: str, note: str, panels: Sequence[Panel], digits: int = 1) -> str:
    """A figure: the panels one below the other. Bars show medians, the thin line the least and the greatest
    value.
    """
    parts = []
    y = TOP
    for panel in panels:
        parts.append(f'<text class="title" x="{MARGIN}" y="{y + 20}">{escape(panel.title)}</text>')
        scale = panel_scale(panel)
        for number, bar in enumerate(panel.bars):
            parts += draw_bar(bar, y + HEADING + ROW * number, scale, digits)
        y += panel_height(panel)
    return frame(title, note, y, parts)


def frame(title: str, note: str, height: int, parts: Sequence[str], style: str = STYLE) -> str:
    """A whole figure of elements that begin at TOP, under its title and a note."""
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        # A page of its own: a viewer that does not know the media query must not draw dark letters on a dark
        # ground.
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 12}" style="font-size: 15px">{escape(title)}</text>',
        f'<text class="note" x="{MARGIN}" y="{MARGIN + 31}">{escape(note)}</text>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])
