"""How servers are bound from outside, and what of a graph says nothing but who draws."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sysgraph import InputError, Servers, System
from sysgraph.exporting.graph import still
from sysgraph.support.addresses import SERVERS, address_of
from sysgraph.system.identity import differences

from .conftest import GPU
from .vllm_like import Vllm


def test_addresses_and_keys_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSGRAPH_SERVER", "http://all:1/v1")
    monkeypatch.setenv("SYSGRAPH_SERVER_GPU", "http://one:1/v1")
    monkeypatch.setenv("SYSGRAPH_SERVER_KEY_GPU", "secret-of-one")
    one, other = address_of("gpu", {}, SERVERS), address_of("big", {}, SERVERS)
    assert one is not None
    assert (one.url, one.key) == ("http://one:1/v1", "secret-of-one")
    assert other is not None
    assert (other.url, other.key) == ("http://all:1/v1", None)
    assert address_of("gpu", {}) is None, "no hosted model's"


def test_a_name_that_the_graph_does_not_have(build: Callable[..., System], vllm: Vllm) -> None:
    program = build(ada={}).program
    with pytest.raises(InputError, match=r"--server gpux=...: no such server; did you mean `gpu`"):
        System(program, device="cpu", servers=Servers({"gpux": vllm.url}))


def test_who_draws_does_not_change_what_a_model_is(
    build: Callable[..., System], tmp_path: Path
) -> None:
    program = build(ada={}).program
    spec = program.models["ada"].model_copy(update={"sampler": None})
    without = program.model_copy(update={"models": {"ada": spec}})
    sides = [json.loads(one.to_json()) for one in (program, without)]
    assert differences(*sides) is None
    assert program.models["ada"].server == GPU["server"]
    frozen = still(program.models["ada"], {}, None, tmp_path)
    assert frozen.server is None, "an export runs anywhere"
