"""Servers beyond the standard world's: nginx at an address of it, HTTP/3, and a tunnel in the client."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from probe.lab.client.agent import check, render_config
from probe.lab.proofs.prove import prove_scenario
from probe.lab.scenarios import build_scenarios

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ {listening} location / {{ return 200 "<title>A real server</title>"; }} }}
}}
"""


@pytest.mark.skipif(not Path(NGINX).exists(), reason="nginx is not installed")
async def test_nginx_stands_at_an_address_of_the_world_and_check_reads_its_page(lab):
    scenario = build_scenarios(lab.world.change("wiki", http_ports=(), https_ports=()))["clean"]
    await lab.play(scenario)
    site = scenario.world.sites["wiki"]
    folder = str(Path(lab.write_file("nginx.conf", "")).parent)
    listening = " ".join(f"listen {f'[{a}]' if ':' in a else a}:80;" for a in site.addresses)
    config = lab.write_file("nginx.conf", CONFIG.format(folder=folder, listening=listening))
    number, exited = lab.spawn([NGINX, "-p", folder, "-c", config, "-e", "stderr"], (0, 2, 2), in_world=True)
    try:
        await wait_for_page(lab, site.v4[0])
        record = await check(lab, site.cleartext_url)
    finally:
        lab.kill(number)
        await exited
    served = [o for o in record["observations"] if re.search(r"nginx/\d", str(o)) and o.get("status") == 200]
    assert served
    assert record["status"] == "ok"


async def wait_for_page(lab, address):
    """Ask until the server is up."""
    ask = f"import http.client as h; c = h.HTTPConnection({address!r}); c.request('GET', '/'); print(c.getresponse())"
    for _ in range(50):
        if (await lab.run_in_client([sys.executable, "-c", ask])).code == 0:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(address)


async def test_sites_that_offer_http_3_say_so_in_encrypted_pages_only(lab):
    await lab.play(build_scenarios(lab.world)["clean"])
    for key, secure, offers in (("video", True, True), ("video", False, False), ("news", True, False)):
        site = lab.world.sites[key]
        kind = "HTTPSConnection" if secure else "HTTPConnection"
        ask = (
            f"import http.client as h; c = h.{kind}({site.name!r}); c.request('GET', '/');"
            "print(c.getresponse().headers.get('Alt-Svc'))"
        )
        said = (await lab.run_in_client([sys.executable, "-c", ask])).stdout.decode()
        assert ('h3=":443"' in said) is offers


async def test_a_tunnel_is_there_as_long_as_its_scenario(lab):
    scenarios = build_scenarios(lab.world)
    assert all(proof.holds for proof in await prove_scenario(lab, scenarios["tunnel-default-route"]))
    path = lab.write_file("wallprobe.yml", render_config(lab.world))
    described = await lab.run_in_client([sys.executable, "-m", "probe", "check", "--config.file", path])
    assert b"default route is a tunnel" in described.stdout
    assert all(proof.holds for proof in await prove_scenario(lab, scenarios["clean"]))
    cards = await lab.run_in_client(["ls", "/sys/class/net"])
    assert cards.stdout.split() == [b"eth0", b"lo"]


async def test_the_client_sees_only_its_own_cards(lab):
    cards = await lab.run_in_client(["ls", "/sys/class/net"])
    assert b"eth0" in cards.stdout
    assert set(cards.stdout.split()) <= {b"eth0", b"lo"}
