"""H.264 as far as its slices' headers: a picture that is the one before it, written without an encoder.

Such a picture is a P slice whose macroblocks are all skipped: where nothing moves, they copy the picture that was
decoded before. It is itself one to predict from, so whatever follows finds its reference where it was, one picture on.
Names, and numbers of sections and tables, are those of ITU-T H.264 (08/2021).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

SLICE, IDR_SLICE = 1, 5  # nal_unit_type, table 7-1
# More than a slice header's first fields ever take.
_HEAD_BYTES = 32
_P_SLICES_ONLY = 5
_HIGHEST_QP = 51
_SEPARATE_PLANES = 3  # chroma_format_idc with which they may be, table 6-1
_REFERENCE = 2 << 5  # nal_ref_idc, as x264 sets it
_SHORTEST_INTERVAL = 256  # codIRange, section 9.3.4.2
# Profiles whose parameter sets tell of chroma and depth, section 7.3.2.1.1.
_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
# Table 9-44, rangeTabLPS from pStateIdx 42 on: where mb_skip_flag (table 9-13: m, n = 23, 33) begins at _HIGHEST_QP.
_RANGE_LPS = (
    *((16, 20, 23, 27), (15, 19, 22, 25), (14, 18, 21, 24), (14, 17, 20, 23), (13, 16, 19, 22), (12, 15, 18, 21)),
    *((12, 14, 17, 20), (11, 14, 16, 19), (11, 13, 15, 18), (10, 12, 15, 17), (10, 12, 14, 16), (9, 11, 13, 15)),
    *((9, 11, 12, 14), (8, 10, 12, 14), (8, 9, 11, 13), (7, 9, 11, 12), (7, 9, 10, 12), (7, 8, 10, 11)),
    *((6, 8, 9, 11), (6, 7, 9, 10), (6, 7, 8, 9)),
)


# A NAL unit, in bytes of its own or where it was read.
Nal = bytes | memoryview


class Unsupported(ValueError):
    """The stream uses what this module does not know."""


@dataclass(frozen=True)
class ParameterSets:
    """What a sequence and a picture parameter set say that a slice's header depends on.

    `frame_num_bits` and `order_bits` are the widths of frame_num and pic_order_cnt_lsb.
    """

    macroblocks: int
    frame_num_bits: int
    order_bits: int
    picture_parameter_set: int
    initial_qp: int

    @classmethod
    def configured(cls, configuration: bytes) -> ParameterSets:
        """From a decoder configuration with one of each (ISO/IEC 14496-15, AVCDecoderConfigurationRecord).

        Raises Unsupported unless they are what x264 writes for pictures that are each predicted from one before it.
        """
        begins, sets = 6, []
        for _ in range(2):
            ends = begins + 2 + int.from_bytes(configuration[begins : begins + 2], "big")
            sets.append(_Bits(_unescaped(configuration[begins + 3 : ends])))
            begins = ends + 1
        sequence, picture = sets
        return cls(*_sequence(sequence), *_picture(picture))


def _sequence(bits: _Bits) -> tuple[int, int, int]:
    profile, _, _ = bits.u(8), bits.u(16), bits.ue()
    if profile in _HIGH_PROFILES:
        _require(bits.ue() != _SEPARATE_PLANES, "4:4:4")
        bits.ue(), bits.ue(), bits.u(1)
        _require(not bits.u(1), "scaling matrices")
    frame_num_bits = bits.ue() + 4
    _require(bits.ue() == 0, "no pictures that are predicted from both sides")
    order_bits, _, _ = bits.ue() + 4, bits.ue(), bits.u(1)
    columns, rows = bits.ue() + 1, bits.ue() + 1
    _require(bool(bits.u(1)), "fields")
    return columns * rows, frame_num_bits, order_bits


def _picture(bits: _Bits) -> tuple[int, int]:
    own, _ = bits.ue(), bits.ue()
    _require(bool(bits.u(1)), "no arithmetic coding")
    _require(not bits.u(1), "an order of fields")
    _require(bits.ue() == 0, "groups of slices")
    _require(bits.ue() == 0, "pictures that are predicted from several before them")
    bits.ue()
    _require(bool(bits.u(1)), "no weights")
    bits.u(2)
    initial_qp, _, _ = 26 + bits.se(), bits.se(), bits.se()
    _require(bool(bits.u(1)), "no choice of filters")
    bits.u(1)
    _require(not bits.u(1), "redundant pictures")
    return own, initial_qp


def split(content: Nal) -> list[Nal]:
    """NAL units that stand one after another, each after its length in 4 bytes; the last is a picture's only slice."""
    units: list[Nal] = []
    position = 0
    while position < len(content):
        begins = position + 4
        position = begins + int.from_bytes(content[position:begins], "big")
        units.append(content[begins:position])
    slices = [unit for unit in units if kind(unit) in (SLICE, IDR_SLICE)]
    _require(slices == units[-1:], "pictures of several slices")
    return units


def joined(units: Iterable[Nal]) -> bytes:
    """The content that `split` takes apart."""
    return b"".join(part for unit in units for part in (len(unit).to_bytes(4, "big"), unit))


def kind(nal: Nal) -> int:
    """What a NAL unit is: SLICE, IDR_SLICE, or something that is no picture."""
    return nal[0] & 31


def is_reference(nal: Nal) -> bool:
    """Whether other pictures are predicted from this slice's."""
    return bool(nal[0] >> 5 & 3)


class Place(NamedTuple):
    """Where a picture stands: frame_num, counted over references, and pic_order_cnt_lsb, two for each picture."""

    frame_num: int
    order: int

    def later(self, pictures: int) -> Place:
        """That many pictures, all of them references, later."""
        return Place(self.frame_num + pictures, self.order + 2 * pictures)


def place_of(nal: Nal, sets: ParameterSets) -> Place:
    """That of a slice's picture."""
    bits = _Bits(_unescaped(nal[1:])[:_HEAD_BYTES])
    return _place(bits, nal, sets)


def moved(nal: Nal, sets: ParameterSets, pictures: int) -> bytes:
    """A slice, standing that many pictures later. Raises Unsupported for an IDR picture's."""
    _require(kind(nal) == SLICE, "a second IDR picture")
    content = _unescaped(nal[1:])
    bits = _Bits(content[:_HEAD_BYTES])
    place = _place(bits, nal, sets)
    told = _placed(place.later(pictures), sets)
    head = bits.text[: bits.position - len(told)] + told + bits.text[bits.position :]
    return bytes(nal[:1]) + _escaped(_bytes(head) + content[_HEAD_BYTES:])


def skipped(place: Place, sets: ParameterSets) -> bytes:
    """The slice of a picture that is, to the bit, the reference decoded before it."""
    header = _ue(0) + _ue(_P_SLICES_ONLY) + _ue(sets.picture_parameter_set) + _placed(place, sets)
    # As many references as usual, in the usual order; without weights, but their denominators; kept as usual.
    header += "00" + _ue(0) + _ue(0) + "000"
    # cabac_init_idc; the QP; no filter, which would have nothing to do.
    header += _ue(0) + _se(_HIGHEST_QP - sets.initial_qp) + _ue(1)
    header += "1" * (-len(header) % 8)
    return bytes([_REFERENCE | SLICE]) + _escaped(_bytes(header + _all_skipped(sets.macroblocks)))


@lru_cache(maxsize=8)
def _all_skipped(macroblocks: int) -> str:
    """The CABAC bits (section 9.3.4) of that many macroblocks with mb_skip_flag 1, and of the slice's end.

    Only likely symbols are coded: the low end of the interval stays 0, and every bit that leaves it is one.
    """
    interval, state, shifts = 510, 0, 0
    for left in reversed(range(macroblocks)):
        interval -= _RANGE_LPS[state][interval >> 6 & 3]
        state = min(state + 1, len(_RANGE_LPS) - 1)
        if interval < _SHORTEST_INTERVAL:
            interval, shifts = interval << 1, shifts + 1
        interval -= 2
        if left and interval < _SHORTEST_INTERVAL:
            interval, shifts = interval << 1, shifts + 1
    # The end is the interval's last part, so low becomes what lies before it; its last bit is the slice's stop bit.
    return ("0" * shifts + f"{interval | 1:010b}")[1:]


def _place(bits: _Bits, nal: Nal, sets: ParameterSets) -> Place:
    bits.ue(), bits.ue(), bits.ue()
    frame_num = bits.u(sets.frame_num_bits)
    if kind(nal) == IDR_SLICE:
        bits.ue()
    return Place(frame_num, bits.u(sets.order_bits))


def _placed(place: Place, sets: ParameterSets) -> str:
    widths = (sets.frame_num_bits, sets.order_bits)
    return "".join(f"{value % (1 << width):0{width}b}" for value, width in zip(place, widths, strict=True))


class _Bits:
    """Reads `content` bit by bit, section 7.2 and 9.1."""

    def __init__(self, content: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in content)
        self.position = 0

    def u(self, width: int) -> int:
        self.position += width
        return int(self.text[self.position - width : self.position], 2)

    def ue(self) -> int:
        zeros = self.text.index("1", self.position) - self.position
        self.position += zeros
        return self.u(zeros + 1) - 1

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def _ue(value: int) -> str:
    bits = f"{value + 1:b}"
    return "0" * (len(bits) - 1) + bits


def _se(value: int) -> str:
    return _ue(2 * value - 1 if value > 0 else -2 * value)


def _bytes(bits: str) -> bytes:
    whole = bits + "0" * (-len(bits) % 8)
    return int(whole, 2).to_bytes(len(whole) // 8, "big")


def _unescaped(content: Nal) -> bytes:
    return bytes(content).replace(b"\0\0\3", b"\0\0")


def _escaped(content: bytes) -> bytes:
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", content)


def _require(known: bool, what: str) -> None:
    if not known:
        raise Unsupported(f"The H.264 stream has {what}.")
