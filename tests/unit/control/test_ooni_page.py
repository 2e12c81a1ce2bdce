"""What OONI's helper says of pages that are not simply there."""

from tests.unit.checks.world import PAGE
from tests.unit.control.place import open_place
from tests.unit.control.test_ooni import NAMES, ask


async def test_headers_count_in_any_case_and_with_all_their_values() -> None:
    async with open_place(names=NAMES) as place:
        port = await place.world.serve(place.world.answer(PAGE))
        await ask(
            place, f"http://a.test:{port}/", http_request_headers={"user-agent": ["P/1"], "ACCEPT": ["x/y", "", "z/z"]}
        )
        (head,) = place.world.requests
    assert b"User-Agent: P/1\r\n" in head
    assert b"Accept: x/y, z/z\r\n" in head


async def test_a_page_that_breaks_off_is_told_by_its_head_and_the_failure() -> None:
    async with open_place(names=NAMES) as place:
        cut = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 500\r\n\r\n<title>Half</title>"
        port = await place.world.serve(place.world.answer(cut))
        page = (await ask(place, f"http://a.test:{port}/"))["http_request"]
    assert page == {
        "body_length": 0,
        "discovered_h3_endpoint": "",
        "failure": "unknown_error",
        "title": "",
        "headers": {"Server": "x", "Content-Length": "500"},
        "status_code": 200,
    }


async def test_a_redirect_that_names_no_place_is_the_last_page() -> None:
    async with open_place(names=NAMES) as place:
        lost = b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nno"
        port = await place.world.serve(place.world.answer(lost))
        page = (await ask(place, f"http://a.test:{port}/"))["http_request"]
    assert (page["status_code"], page["failure"]) == (302, None)


async def test_http3_is_what_the_first_answer_of_the_chain_offers() -> None:
    async with open_place(names=NAMES) as place:
        offer = b'HTTP/1.1 301 Moved\r\nLocation: /new\r\nAlt-Svc: h3=":8443"\r\nContent-Length: 0\r\n\r\n'
        other = b'HTTP/1.1 200 OK\r\nAlt-Svc: h3="elsewhere.test:1"\r\nContent-Length: 0\r\n\r\n'
        port = await place.world.serve(place.world.answer(offer, other))
        page = (await ask(place, f"http://a.test:{port}/"))["http_request"]
    assert (page["status_code"], page["discovered_h3_endpoint"]) == (200, "a.test:8443")
