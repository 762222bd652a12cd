"""Pictures that are drawn, asked for or sent in, opened again."""

import hashlib
import io
import struct
import zlib

import pytest
from pgqueue_tasks.errors import EngineFailed, InputRefused
from pgqueue_tasks.image_gen import ImagePayload, image_gen
from PIL import Image

from pgqueue import Retry
from tests.tasks import endpoint as model
from tests.tasks.endpoint import KEY, ModelServer, picture, raw, serving, status
from tests.tasks.recording import RecordingContext


def file(width=40, height=20, mode="RGB", format="PNG", colour=None, **options):
    out = io.BytesIO()
    Image.new(mode, (width, height), colour or (200, 30, 40, 255)[: len(mode)]).save(
        out, format, **options
    )
    return out.getvalue()


async def make(ctx=None, **payload):
    """The result and the picture, opened."""
    ctx = ctx or RecordingContext()
    result = await image_gen(ctx, ImagePayload.model_validate(payload))
    if isinstance(result, Retry):
        return result, None
    data, content_type = ctx.artifacts[result.artifact]
    assert content_type == f"image/{result.format}"
    assert (result.bytes, result.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert ctx.progress_calls[-1][0] == 100
    image = Image.open(io.BytesIO(data))
    image.load()
    assert (image.size, image.format.lower()) == ((result.width, result.height), result.format)
    return result, image


async def work(data, *operations):
    ctx = RecordingContext()
    return await make(ctx, source=upload(ctx, data), operations=list(operations))


def upload(ctx, data):
    """Keep a file, and give what a payload names it by."""
    id = "0198c0de-0000-7000-8000-0000000000ab"
    ctx.recorder.files[id] = (data, "application/octet-stream")
    return id


# drawn here


async def test_without_an_endpoint_a_pattern_is_drawn_and_the_result_says_so():
    result, image = await make(prompt="a red fox", width=320, height=200)
    assert (result.provider, result.model, result.artifact) == ("local", "pattern", "image.png")
    assert image.size == (320, 200)
    assert len(image.getcolors(100_000) or range(100_001)) > 100


async def test_the_same_prompt_gives_the_same_picture_and_another_one_another():
    one, two, other = [
        (await make(prompt=prompt, width=64, height=64))[0].sha256 for prompt in ("a", "a", "b")
    ]
    assert one == two != other


# operations


@pytest.mark.parametrize(
    ("step", "size"),
    [
        ({"width": 20}, (20, 10)),
        ({"height": 40}, (80, 40)),
        ({"width": 20, "height": 20}, (20, 10)),
        ({"width": 20, "height": 20, "fit": "cover"}, (20, 20)),
        ({"width": 7, "height": 9, "fit": "stretch"}, (7, 9)),
        ({"width": 1}, (1, 1)),
    ],
)
async def test_a_resize_gives_the_size_asked_for(step, size):
    _, image = await work(file(), {"op": "resize", **step})
    assert image.size == size


async def test_a_thumbnail_is_a_square():
    _, image = await work(file(300, 100), {"op": "thumbnail", "size": 64})
    assert image.size == (64, 64)


@pytest.mark.parametrize(
    "position", ["top-left", "top-right", "center", "bottom-left", "bottom-right"]
)
async def test_a_watermark_is_where_it_is_asked_for(position):
    mark = {"op": "watermark", "text": "(c) us ü 中", "position": position, "opacity": 1}
    _, image = await work(file(400, 200, colour=(10, 120, 30)), mark)
    changed = Image.eval(image.convert("L").point(lambda v: 255 if v > 200 else 0), lambda v: v)
    left, top, right, bottom = changed.getbbox()
    assert 0 <= left < right <= 400
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    if position == "center":
        assert (180 < middle_x < 220, 85 < middle_y < 115) == (True, True)
    else:
        assert (middle_y < 100) == position.startswith("top")
        assert (middle_x < 200) == position.endswith("left")


async def test_operations_are_done_in_their_order():
    result, image = await work(
        file(400, 200),
        {"op": "resize", "width": 200},
        {"op": "watermark", "text": "draft"},
        {"op": "thumbnail", "size": 50},
        {"op": "convert", "format": "webp"},
    )
    assert (result.artifact, image.size) == ("image.webp", (50, 50))
    assert (result.provider, result.model) == (None, None)


async def test_transparency_is_kept_and_becomes_white_in_jpeg():
    clear = file(mode="RGBA", colour=(0, 0, 0, 0))
    _, png = await work(clear)
    assert png.getpixel((0, 0)) == (0, 0, 0, 0)
    _, jpeg = await work(clear, {"op": "convert", "format": "jpeg", "quality": 95})
    assert min(jpeg.getpixel((0, 0))) > 250


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (file(format="JPEG"), "jpeg"),
        (file(format="WEBP"), "webp"),
        (file(mode="P", colour=3, format="GIF"), "png"),
        (file(mode="L", colour=7), "png"),
        (file(mode="CMYK", colour=(1, 2, 3, 4), format="JPEG"), "jpeg"),
        (file(mode="I;16", colour=7), "png"),
    ],
)
async def test_a_picture_keeps_its_format_where_it_can(data, format):
    result, _ = await work(data)
    assert result.format == format


async def test_a_photo_is_set_upright_and_loses_where_it_was_taken():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "a camera"
    _, image = await work(file(40, 20, format="JPEG", exif=exif))
    assert image.size == (20, 40)
    assert not image.getexif()
    assert "exif" not in image.info


async def test_an_artifact_of_an_earlier_task_is_worked_on():
    ctx = RecordingContext()
    task = "0198c0de-0000-7000-8000-00000000000f"
    ctx.recorder.files[f"{task}/image.png"] = (file(), "image/png")
    source = {"task_id": task, "name": "image.png"}
    _, image = await make(ctx, source=source, operations=[{"op": "resize", "width": 8}])
    assert image.size == (8, 4)


# hostile input


def bomb(width, height):
    """A PNG of so many pixels, all black, in few bytes."""

    def chunk(kind, data):
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + min(width, 60_000) // 8)
    rows = b"".join([packer.compress(row) for _ in range(min(height, 2_000))])
    data = rows + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bomb(30_000, 30_000), "more than 50,000,000 pixels"),
        (bomb(50_000, 1_001), "more than 50,000,000 pixels"),
        (bomb(2**31 - 1, 2**31 - 1)[:4096], "more than 50,000,000 pixels"),
        (b"", "not a picture"),
        (b"%PDF-1.7", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run", "not a picture"),
        (file()[:60], "cannot be read"),
        (file(format="JPEG")[:300], "cannot be read"),
        (file().replace(b"IDAT", b"IDAX"), "cannot be read|not a picture"),
        (b"GIF89a" + b"\xff" * 100, "cannot be read|not a picture"),
        (file(format="TIFF"), "not a picture"),
        (file(format="BMP"), "not a picture"),
    ],
)
async def test_a_hostile_file_is_refused_and_says_why(data, message):
    with pytest.raises(InputRefused, match=message):
        await work(data)


async def test_the_largest_picture_stays_within_the_memory_of_its_process():
    data = file(7_000, 7_000, format="JPEG")
    _, image = await work(
        data, {"op": "watermark", "text": "large"}, {"op": "resize", "width": 100}
    )
    assert image.size == (100, 100)


async def test_operations_cannot_grow_a_picture_without_bound():
    with pytest.raises(InputRefused, match="more than 50,000,000 pixels"):
        await work(file(1, 1), {"op": "resize", "width": 8192, "height": 8192, "fit": "stretch"})
    with pytest.raises(InputRefused, match="pixels"):
        await work(file(1, 2000), {"op": "resize", "width": 8192})


async def test_a_source_that_is_not_there_or_too_large_is_refused():
    ctx = RecordingContext()
    with pytest.raises(InputRefused, match="does not exist"):
        await make(ctx, source="0198c0de-0000-7000-8000-0000000000aa")
    with pytest.raises(InputRefused, match="33,554,433 bytes"):
        await make(ctx, source=upload(ctx, bytes(32 * 2**20 + 1)))


# a model


@pytest.fixture
def server(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("PGQUEUE_OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("PGQUEUE_OPENAI_IMAGE_MODEL", "painter")
        yield server


async def test_a_model_is_asked_and_its_picture_worked_on(server: ModelServer):
    server.answer = picture(file(64, 64))
    result, image = await make(
        prompt="a red fox", width=512, height=256, operations=[{"op": "resize", "width": 32}]
    )
    assert (result.provider, result.model, image.size) == ("openai", "painter", (32, 32))
    ((path, headers, body),) = server.asked
    assert (path, headers["authorization"]) == ("/v1/images/generations", f"Bearer {KEY}")
    assert body == {
        "model": "painter",
        "prompt": "a red fox",
        "n": 1,
        "size": "512x256",
        "response_format": "b64_json",
    }


async def test_a_model_that_is_busy_slows_the_queue_down(server: ModelServer):
    server.answer = status(429, "later", Retry_After="3")
    outcome, _ = await make(prompt="a")
    assert (outcome.after, outcome.slow) == (3, "queue")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (picture(b"not a picture"), InputRefused),
        (picture(bomb(30_000, 30_000)), InputRefused),
        (raw(b"{"), EngineFailed),
        (raw(b"[]", Content_Type="application/json"), EngineFailed),
        (raw(b'{"data": []}', Content_Type="application/json"), EngineFailed),
        (raw(b'{"data": [{"url": "http://x"}]}', Content_Type="application/json"), EngineFailed),
        (raw(b'{"data": [{"b64_json": "%"}]}', Content_Type="application/json"), EngineFailed),
        (model.endless(b"x" * 2**20), EngineFailed),
        (status(500, f"{KEY} fell over"), EngineFailed),
    ],
)
async def test_garbage_of_a_model_is_a_failed_attempt(server: ModelServer, answer, error):
    server.answer = answer
    with pytest.raises(error) as caught:
        await make(prompt="a")
    assert KEY not in str(caught.value)
