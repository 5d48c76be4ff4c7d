"""Times written into small pictures, without a font: every machine draws the same."""

from __future__ import annotations

# 3 x 5 points each, a row an entry, the left point the highest bit.
GLYPHS = {
    "0": (7, 5, 5, 5, 7),
    "1": (2, 6, 2, 2, 7),
    "2": (7, 1, 7, 4, 7),
    "3": (7, 1, 7, 1, 7),
    "4": (5, 5, 7, 1, 1),
    "5": (7, 4, 7, 1, 7),
    "6": (7, 4, 7, 5, 7),
    "7": (7, 1, 1, 1, 1),
    "8": (7, 5, 7, 5, 7),
    "9": (7, 5, 7, 1, 7),
    ":": (0, 2, 0, 2, 0),
    ".": (0, 0, 0, 0, 2),
}
WIDE, HIGH = 3, 5
POINT = 2  # px


def stamp(pixels: bytearray, width: int, height: int, text: str) -> None:
    """Writes `text`, white on black, into the lower left corner of RGB `pixels`; not where it has no room."""
    across, down = (len(text) * (WIDE + 1) + 1) * POINT, (HIGH + 2) * POINT
    if across > width or down > height:
        return
    for y in range(down):
        row = bytearray(across * 3)
        for place, character in enumerate(text):
            bits = GLYPHS[character][y // POINT - 1] if 0 < y // POINT <= HIGH else 0
            for x in range(WIDE):
                if bits >> (WIDE - 1 - x) & 1:
                    start = (1 + place * (WIDE + 1) + x) * POINT * 3
                    row[start : start + POINT * 3] = b"\xff" * (POINT * 3)
        first = (height - down + y) * width * 3
        pixels[first : first + len(row)] = row
