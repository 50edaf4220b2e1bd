"""Frames and records: what is written comes back, and what is not ours is refused."""

from __future__ import annotations

import random

import pytest

from jupyter_remote_gpu.errors import WireError
from jupyter_remote_gpu.wire.frames import (
    CONTROL,
    HEAD,
    MAX_PAYLOAD,
    WHOLE,
    FrameDecoder,
    decode_control,
    encode_control,
    encode_frame,
)
from jupyter_remote_gpu.wire.records import (
    Record,
    RecordAssembler,
    check_id,
    decode_record,
    encode_record,
)


def records_of(data: bytes, sizes: list[int]) -> list[Record]:
    """Decode `data`, fed in pieces of the given sizes (the last repeats)."""
    decoder, assembler = FrameDecoder(verify=True), RecordAssembler()
    found = []
    at = n = 0
    while at < len(data):
        size = sizes[min(n, len(sizes) - 1)]
        for kind, payload in decoder.feed(data[at : at + size]):
            record = assembler.feed(kind, payload)
            if record is not None:
                found.append(record)
        at += size
        n += 1
    assert decoder.pending == 0
    return found


def test_records_survive_any_fragmentation() -> None:
    rng = random.Random(5)
    parts = [rng.randbytes(n) for n in (0, 1, 70, 3 * MAX_PAYLOAD + 17)]
    data = encode_record(7, 7, {"channel": "iopub", "type": "stream"}, parts)
    data += encode_record(8, 12, {"channel": "keeper", "type": "gap"}, [b"{}"])
    for sizes in ([len(data)], [1] * 30 + [100_000], [rng.randrange(1, 9000) for _ in range(900)]):
        first, second = records_of(data, sizes)
        assert (first.first, first.last, first.parts) == (7, 7, parts)
        assert (second.first, second.last, second.type) == (8, 12, "gap")


def test_a_record_at_the_frame_limit_is_one_frame() -> None:
    head = {"channel": "iopub"}
    empty = len(encode_record(1, 1, head, [b""])) - HEAD.size
    for size in (MAX_PAYLOAD - empty - 10, MAX_PAYLOAD - empty, MAX_PAYLOAD, 2 * MAX_PAYLOAD):
        data = encode_record(1, 1, head, [b"x" * size])
        (record,) = records_of(data, [len(data)])
        assert len(record.parts[0]) == size


def test_control_messages_keep_their_text() -> None:
    message = {"type": "x", "text": "naïve \U0001f600 \ud800"}
    ((kind, payload),) = FrameDecoder().feed(encode_control(message))
    assert kind == CONTROL
    assert decode_control(payload) == message


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n" * 2,
        HEAD.pack(MAX_PAYLOAD + 1, WHOLE, 0),
        HEAD.pack(3, ord("x"), 0) + b"abc",
        b"\0" * 64,
    ],
)
def test_alien_and_overlong_frames_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        list(FrameDecoder().feed(data))


def test_a_flipped_bit_is_found() -> None:
    frame = bytearray(encode_frame(WHOLE, b"payload"))
    frame[-1] ^= 1
    with pytest.raises(WireError, match="checksum"):
        list(FrameDecoder(verify=True).feed(bytes(frame)))


def test_records_out_of_order_are_refused() -> None:
    big = encode_record(1, 1, {}, [b"x" * (3 * MAX_PAYLOAD)])
    frames = list(FrameDecoder().feed(big))
    for wrong in ([1], [0, 0], [3], [0, 1, 0]):
        assembler = RecordAssembler()
        with pytest.raises(WireError, match="order"):
            for index in wrong:
                assembler.feed(*frames[index])


def test_a_record_without_end_is_cut_off() -> None:
    assembler = RecordAssembler(limit=100)
    frames = list(FrameDecoder().feed(encode_record(1, 1, {}, [b"x" * 2 * MAX_PAYLOAD])))
    with pytest.raises(WireError, match="100"):
        for kind, payload in frames:
            assembler.feed(kind, payload)


@pytest.mark.parametrize("cut", [3, 19, 25])
def test_a_damaged_record_is_refused(cut: int) -> None:
    ((_, payload),) = FrameDecoder().feed(encode_record(1, 1, {"type": "x"}, [b"abc"]))
    with pytest.raises(WireError):
        decode_record(payload[:-cut])
    with pytest.raises(WireError):
        decode_record(payload + b"more")


@pytest.mark.parametrize("value", ["", "../../etc", "A" * 32, "a" * 31 + "/", "a" * 33, None, 7])
def test_only_ids_are_ids(value: object) -> None:
    with pytest.raises(WireError):
        check_id(value, "the kernel")
    assert check_id("0123456789abcdef" * 2, "the kernel")


@pytest.mark.parametrize("payload", [b"[]", b"1", b"{", b"\xff", b"[" * 100_000])
def test_control_must_be_an_object(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode_control(payload)


def test_text_that_is_not_utf8_is_what_the_kernel_printed() -> None:
    # As jupyter_client writes a file name that is not UTF-8, and as compaction does.
    for text in (b'{"text": "a \xff"}', b'{"text": "a \xed\xb3\xbf"}'):
        head = {"channel": "iopub", "type": "stream"}
        record = Record(1, 1, head, [b"{}", b"{}", b"{}", text])
        assert record.content == {"text": "a \udcff"}
