"""How the dashboard is served: its policy, its files, and what a first visit costs."""

import gzip
import hashlib
import re
import tomllib
from pathlib import Path

import httpx
import pgqueue_api.dashboard
import pytest
from pgqueue_api.dashboard.assets import assets
from pgqueue_api.dashboard.shell import NAVIGATION

HERE = Path(pgqueue_api.dashboard.__file__).parent
OURS = [name for name in assets().files if not name.startswith("vendor/")]
NONE = "00000000-0000-7000-8000-000000000000"
PAGES = [*(f"/ui{path}" for path in NAVIGATION.values()), f"/ui/tasks/{NONE}", "/ui/queues/email"]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; frame-src blob:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
MAX_FIRST_LOAD = 60_000
MAX_REQUESTS = 40


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_load_and_run_nothing_that_is_not_ours(
    client: httpx.AsyncClient, path: str
):
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers.get_list("content-security-policy") == [POLICY]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.findall(r"https?://|style=|\bon\w+=|<script(?![^>]* src=)", answer.text)


@pytest.mark.parametrize("path", PAGES)
async def test_the_first_load_of_a_page_is_small(client: httpx.AsyncClient, path: str):
    page = await client.get(path)
    files = {
        str(page.url.join(name))
        for name in re.findall(r'(?:src|href)="([^"]*/assets/[^"]+)"', page.text)
    }
    size = len(page.content)
    for name in files:
        answer = await client.get(name)
        assert answer.status_code == 200, name
        assert answer.headers["content-encoding"] == "gzip"
        size += int(answer.headers["content-length"])
    assert size <= MAX_FIRST_LOAD
    assert len(files) <= MAX_REQUESTS


async def test_files_are_kept_for_ever_under_the_hash_of_all_and_asked_for_again_under_another(
    client: httpx.AsyncClient,
):
    name = "lib/api.js"
    answer = await client.get(f"/ui/assets/{assets().version}/{name}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == (HERE / "static" / name).read_bytes()
    plain = await client.get(
        f"/ui/assets/{assets().version}/{name}", headers={"Accept-Encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content
    other = await client.get(f"/ui/assets/0123456789abcdef/{name}")
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-store")
    for missing in ("lib/none.js", "../routes.py", "vendor/VENDOR.toml"):
        assert (await client.get(f"/ui/assets/{assets().version}/{missing}")).status_code == 404


async def test_a_path_without_a_page_is_a_404_for_people(client: httpx.AsyncClient):
    for path in ("/ui/nothing", "/ui/a/b/c"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert "text/html" in answer.headers["content-type"]


@pytest.mark.parametrize("path", ["/ui", "/ui/", "/ui/tasks", "/ui/tasks/"])
async def test_links_are_relative_so_that_a_proxy_may_serve_it_under_any_path(
    client: httpx.AsyncClient, path: str
):
    text = (await client.get(path)).text
    addresses = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert not [address for address in addresses if address.startswith("/")]
    # as a browser behind /ops/q would resolve them
    led_to = {httpx.URL(f"http://proxy/ops/q{path}").join(address).path for address in addresses}
    assert {"/ops/q/ui", "/ops/q/ui/tasks", "/ops/q/ui/queues", "/ops/q/docs"} <= led_to
    assert all(one.startswith(("/ops/q/ui", "/ops/q/docs", "/ops/q/v1/")) for one in led_to)


def test_every_module_is_used_and_every_import_leads_to_one():
    used = {
        name for page in OURS if page.startswith("pages/") for name in assets().imported_by(page)
    }
    scripts = {name for name in assets().files if name.endswith(".js")}
    assert used | {"theme.js"} == scripts
    for name in OURS:
        text = assets().files[name].content.decode()
        assert len(re.findall(r'from "\.|^import "\.', text, re.MULTILINE)) <= len(
            assets().imported_by(name)
        )


@pytest.mark.parametrize("name", OURS)
def test_no_file_of_ours_makes_html_or_code_out_of_text(name: str):
    text = assets().files[name].content.decode()
    forbidden = r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|javascript:|https?://(?!www\.w3\.org)"
    assert not re.findall(forbidden, text)
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize(
    "folder", [HERE / "static/vendor", Path(__file__).parents[2] / "dashboard/vendor"]
)
def test_what_others_wrote_is_what_was_pinned(folder: Path):
    pinned = tomllib.loads((folder / "VENDOR.toml").read_text())
    for output in pinned["output"]:
        text = (folder / output["file"]).read_bytes()
        assert hashlib.sha256(text).hexdigest() == output["sha256"], output["file"]
    licences = (folder / "LICENSES.txt").read_text()
    for package in pinned["package"]:
        assert f"{package['name']} {package['version']}\n" in licences
        assert package["licence"] in ("MIT", "Apache-2.0", "MPL-2.0")


def test_compressed_files_hold_the_same_bytes():
    for asset in assets().files.values():
        assert gzip.decompress(asset.gzipped) == asset.content
