r"""What ``\r`` and ``\b`` make of a text, by the rule of JupyterLab's outputs."""

from __future__ import annotations

import random
import time

import pytest

from jupyter_remote_gpu.client.area import OutputArea
from jupyter_remote_gpu.client.stream_text import StreamText


def lab(text: str) -> tuple[str, int]:
    """`processText` of @jupyterlab/outputarea 4.6: what is shown, and where the cursor is."""
    shown, at = "", 0
    for c in text:
        if c == "\n":
            shown += c
            at = len(shown)
        elif c == "\r":
            while at > 0 and shown[at - 1] != "\n":
                at -= 1
        elif c == "\b":
            if at > 0 and shown[at - 1] != "\n":
                shown, at = shown[: at - 1] + shown[at + 1 :], at - 1
        else:
            shown, at = shown[:at] + c + shown[at + 1 :], at + 1
    return shown, at


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (" 10%\r 20%", " 20%"),
        ("a\n10%\r100%\nb\n", "a\n100%\nb\n"),
        ("100%\r50%", "50%%\r50%"),
        ("50%\r", "50%\r"),
        ("ab\b", "a"),
        ("a\n\b\bb", "a\nb"),
        ("a\r\nb", "a\nb"),
        ("ab\r\b\rc", "cb\rc"),
    ],
)
def test_what_moves_the_cursor_is_worked_off(sent: str, kept: str) -> None:
    assert StreamText(sent).text == kept
    assert lab(kept) == lab(sent)


def test_in_whatever_pieces_it_comes_it_is_what_lab_shows() -> None:
    rng = random.Random(5)
    for _ in range(3000):
        sent = "".join(rng.choices("abc\n\r\b", [4, 4, 4, 1, 2, 2], k=rng.randrange(30)))
        text, whole = StreamText(), sent
        while sent:
            size = rng.randrange(1, 6)
            text.add(sent[:size])
            sent = sent[size:]
            if rng.random() < 0.3:
                text = StreamText(text.text)  # as a reading that began with what was kept
        assert lab(text.text) == lab(whole)
        assert text.text == StreamText(whole).text


def test_the_texts_of_an_area() -> None:
    area = OutputArea([{"output_type": "stream", "name": "stdout", "text": "1%\r"}])
    for name, text in (("stdout", "2%\r"), ("stderr", "e"), ("stderr", "\rf"), ("stdout", "3%")):
        area.add({"output_type": "stream", "name": name, "text": text})
        assert area.outputs[-1]["text"] != "e\rf"
    area.add({"output_type": "display_data", "data": {}, "metadata": {}})
    area.add({"output_type": "stream", "name": "stdout", "text": "4%"})
    assert [o.get("text") for o in area.outputs] == ["2%\r", "f", "3%", None, "4%"]
    area.clear()
    area.add({"output_type": "stream", "name": "stdout", "text": "5%"})
    assert [o.get("text") for o in area.outputs] == ["5%"]


def test_a_bar_of_a_night_is_a_line_and_a_long_log_takes_no_time() -> None:
    begun = time.monotonic()
    text = StreamText()
    for i in range(200_000):
        text.add(f"\r{i:6d} of 200000 [{'#' * 40}]")
    assert len(text.text) < 100
    for i in range(100_000):
        text.add(f"line {i}\n" + "." * 20)
    for _ in range(200_000):
        text.add(".")
    for i in range(1_000):
        text.add(f"\r{i}")
    assert len(text.text) > 3_000_000
    assert time.monotonic() - begun < 10, "each text costs all that is there"
