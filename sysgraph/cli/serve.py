"""`sysgraph serve`: the whole system as one model behind the OpenAI protocol."""

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sysgraph_compiler import Program
from sysgraph_schemas.bounded import read_bounded

from ..support.errors import InputError
from .opening import opened
from .options import (
    AdapterDir,
    Endpoints,
    GraphFile,
    ModelDir,
    ServerAddresses,
    Settings,
    addresses,
    servers_of,
)
from .plugins import AllowNetwork, Plugins, given_tools
from .terminal import say, tell

if TYPE_CHECKING:
    from ..serving.log import Log
    from ..support.progress import Reporter

KEY = "SYSGRAPH_SERVE_KEY"
"""The variable with the key that clients need. SYSGRAPH_API_KEY is the one to hosted models."""
_LONGEST = 4096


def serve(
    graph: GraphFile,
    model_dir: ModelDir = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; the default is this machine's alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    api_key_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help=f"A file with the key that clients must send; or {KEY} in the environment.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Where models live; default: an accelerator if there is one."),
    ] = None,
    max_batch: Annotated[int, typer.Option(min=1, help="Answers that are sampled together.")] = 64,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Requests that may wait for their turn.")
    ] = 256,
    max_n: Annotated[int, typer.Option(min=1, help="Answers to a request, its `n`.")] = 16,
    max_body: Annotated[
        int, typer.Option(min=1, metavar="KIB", help="A request's size, in KiB.")
    ] = 1024,
    timeout: Annotated[
        float,
        typer.Option(min=0.1, max=86400, metavar="SECONDS", help="Time that an answer may take."),
    ] = 300.0,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Records every answer and what people say of it (POST /v1/feedback), for "
            "`sysgraph collect --from-log`.",
        ),
    ] = None,
    endpoint: Endpoints = None,
    server: ServerAddresses = None,
    adapters: AdapterDir = None,
    settings: Settings = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
) -> None:
    """Serves the system as one model: chat completions of the OpenAI protocol, and a page to try.

    Requests that come at once are sampled together, each as `sysgraph run` with its seed. SIGINT
    and SIGTERM end it when what was asked is answered.
    """
    program = opened(graph, settings, tools=given_tools(plugin, allow_network)).program
    endpoints = addresses(endpoint, program, drawn=True)
    servers = servers_of(server, adapters, program, drawn=True)
    key = _key(api_key_file)
    _require_packages()

    from ..serving import Limits, Service, app
    from ..serving.guard import LOOPBACK
    from ..serving.server import listening, run
    from ..support.progress import Reporter
    from ..system import System
    from ..system.weights import weights_of

    limits = Limits(max_batch, max_waiting, max_n, max_body * 1024, timeout)
    reporter = Reporter()
    with listening(host, port) as bound, _log(log, program, reporter) as recording:
        address, number = bound.getsockname()[:2]
        is_ours = address == "::1" or address.startswith("127.")
        if not is_ours and key is None:
            tell(
                f"warning: whoever reaches {host} can use this system, as no key is asked for: set "
                f"{KEY}, or --api-key-file"
            )
        system = System(
            program,
            device=_device(device),
            model_dir=model_dir,
            endpoints=endpoints,
            servers=servers,
        )
        system.tell(reporter)
        system.require_servers()
        if recording is not None:
            recording.answered_by(weights_of(system, trained=True))
            reporter.line(f"{log}: all that is asked, answered and rated is recorded there")
        hosts = LOOPBACK | {host, address} if is_ours else None
        shown = f"[{address}]" if ":" in address else address
        with Service(system, limits, reporter) as service:
            run(
                app(service, recording, key=key, hosts=hosts),
                bound,
                patience=timeout,
                ready=lambda: say(f"{program.name}: http://{shown}:{number}/v1"),
            )


def _log(
    folder: str | None, program: Program, reporter: "Reporter"
) -> "AbstractContextManager[Log | None]":
    """The log to write, if one is wanted."""
    from ..serving.log import Log

    return nullcontext() if folder is None else Log.opened(program, Path(folder), reporter)


def _key(file: str | None) -> str | None:
    """The key that clients need, if they need one.

    Raises:
        InputError: the file cannot be read, or what is given is no key.
    """
    given, text = KEY, os.environ.get(KEY)
    if file is not None:
        given = f"--api-key-file {file}"
        try:
            text = read_bounded(Path(file), _LONGEST).decode()
        except (OSError, ValueError) as error:
            raise InputError(f"{given}: {getattr(error, 'strerror', None) or error}") from None
    if text is None:
        return None
    text = text.strip()
    if not text or not text.isprintable() or not text.isascii() or " " in text:
        raise InputError(f"{given}: expected a key, of letters, digits and signs on one line")
    return text


def _require_packages() -> None:
    """Refuses to go on without the packages of the extra `serve`: InputError."""
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(f'serve needs {error.name}: pip install "sysgraph[serve]"') from None


def _device(name: str | None) -> str | None:
    """The device of this name.

    Raises:
        InputError: torch knows none.
    """
    if name is None:
        return None
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).splitlines()[0]
        raise InputError(f"--device {name!r:.40}: {why:.200}") from None
    return name
