"""Plots as SVG, for reports and documentation: no library is worth two kinds of line."""

from collections.abc import Sequence
from html import escape

_SIZE, _MARGIN = 320, 44
_FONT = 'font-family="sans-serif" font-size="11"'


def reliability_plot(bins: Sequence[tuple[float, float, int]], title: str) -> str:
    """How often a prediction is right, by its confidence; on the diagonal it says what it means.

    bins: (mean confidence, share right, examples), see models.calibration.reliability.
    """
    points = "".join(
        f'<circle cx="{_x(confidence):.1f}" cy="{_y(right):.1f}" r="4" fill="#1f6f8b">'
        f"<title>{confidence:.3f} → {right:.3f} ({count})</title></circle>"
        for confidence, right, count in bins
    )
    line = _path([(confidence, right) for confidence, right, _ in bins], "#1f6f8b")
    diagonal = _path([(0, 0), (1, 1)], "#999", dashed=True)
    return _frame(diagonal + line + points, title, "confidence", "share right")


def coverage_plot(curve: Sequence[tuple[float, float]], title: str) -> str:
    """Precision against the share of mails that is decided, from the surest on.

    curve: (share decided, precision). The vertical axis begins at one half.
    """
    points = [(share, max(0.0, (precision - 0.5) * 2)) for share, precision in curve]
    return _frame(
        _path(points, "#b5532a"), title, "share decided without a person", "precision", low=0.5
    )


def _frame(content: str, title: str, across: str, up: str, low: float = 0.0) -> str:
    ticks = "".join(
        f'<text x="{_x(t):.0f}" y="{_SIZE - _MARGIN + 16}" text-anchor="middle" {_FONT}>'
        f"{t:.1f}</text>"
        f'<text x="{_MARGIN - 6}" y="{_y(t) + 4:.0f}" text-anchor="end" {_FONT}>'
        f"{low + t * (1 - low):.1f}</text>"
        f'<path d="M{_x(0):.0f} {_y(t):.0f}H{_x(1):.0f}" stroke="#ddd"/>'
        for t in (0, 0.2, 0.4, 0.6, 0.8, 1.0)
    )
    middle = _SIZE / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}" '
        f'height="{_SIZE}" role="img" aria-label="{escape(title)}">'
        f'<rect width="{_SIZE}" height="{_SIZE}" fill="white"/>{ticks}{content}'
        f'<text x="{middle}" y="18" text-anchor="middle" {_FONT} font-weight="bold">'
        f"{escape(title)}</text>"
        f'<text x="{middle}" y="{_SIZE - 8}" text-anchor="middle" {_FONT}>{escape(across)}</text>'
        f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle" {_FONT}>'
        f"{escape(up)}</text></svg>\n"
    )


def _path(points: Sequence[tuple[float, float]], colour: str, *, dashed: bool = False) -> str:
    if not points:
        return ""
    d = "M" + "L".join(f"{_x(x):.1f} {_y(y):.1f}" for x, y in points)
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>'


def _x(share: float) -> float:
    return _MARGIN + share * (_SIZE - 2 * _MARGIN)


def _y(share: float) -> float:
    return _SIZE - _x(share)
