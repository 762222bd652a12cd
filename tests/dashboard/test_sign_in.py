"""Signing in to the dashboard and out of it, in a browser."""

from tests.api.access.conftest import PASSWORD, People
from tests.api.worker import Worker
from tests.browser import Visitor, expect


async def test_who_is_not_known_signs_in_and_comes_to_the_page_that_was_asked_for(
    visitor: Visitor, worker: Worker
):
    _, email = People(worker).user("operator")
    worker.rows("select pgqueue.set_queue('email')")
    visitor.refused = {401}
    page = await visitor.open("/ui/queues/email?x=1")
    await page.wait_for_url("**/ui/sign-in?to=*")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("is wrong")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/ui/queues/email?x=1")
    await page.get_by_role("button", name="Pause…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Pause the queue").click()
    await expect(page.locator("h1")).to_contain_text("paused")
    assert worker.value("select paused_by from pgqueue.queues where name = 'email'") == email
    (cookie,) = await page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (
        "__Host-pgqueue",
        True,
        "Lax",
    )
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/ui/sign-in")
    assert await page.context.cookies() == []
    await page.goto(visitor.url + "/ui/tasks")
    await page.wait_for_url("**/ui/sign-in?to=*")


async def test_a_session_that_ends_leads_back_to_signing_in(visitor: Visitor, worker: Worker):
    people = People(worker)
    people.user("admin")
    _, email = people.user("viewer")
    visitor.refused = {401, 403}
    page = await visitor.open("/ui/sign-in")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/ui")
    worker.rows("""select pgqueue_private.patch_user(2, '{"enabled": false}')""")
    await page.wait_for_url("**/ui/sign-in?to=*")


async def test_an_address_of_another_site_is_not_where_one_goes_on(
    visitor: Visitor, worker: Worker
):
    _, email = People(worker).user("admin")
    visitor.refused = {401}
    for to in (
        "https://elsewhere.example/ui",
        "//elsewhere.example/ui",
        "/v1/tasks",
        "javascript:1",
        "/\\elsewhere.example",
    ):
        page = await visitor.open(f"/ui/sign-in?to={to}")
        await page.get_by_label("E-mail address").fill(email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{visitor.url}/ui")
        await page.context.close()


async def test_a_viewer_is_told_why_a_change_is_refused(visitor: Visitor, worker: Worker):
    people = People(worker)
    people.user("admin")
    _, email = people.user("viewer")
    worker.rows("select pgqueue.set_queue('email')")
    visitor.refused = {401, 403}
    page = await visitor.open("/ui/sign-in?to=/ui/queues/email")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Pause…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Pause the queue").click()
    await expect(page.get_by_role("alert")).to_contain_text("this needs the scope queues:write")
    await expect(page.get_by_role("alert")).to_contain_text("operator")
