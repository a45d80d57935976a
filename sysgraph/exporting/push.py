"""An export onto the Hugging Face Hub."""

from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from ..support.errors import InputError, RunError


def require_repository(name: str) -> None:
    """Refuses what cannot be pushed to, before anything is written.

    Raises:
        InputError: it is no OWNER/NAME, or nobody is logged in.
    """
    try:
        validate_repo_id(name)
        is_one = name.count("/") == 1
    except HFValidationError:
        is_one = False
    if not is_one:
        raise InputError(f"--push {name!r}: expected OWNER/NAME of a repository on the Hub")
    if get_token() is None:
        raise InputError("--push needs a token of the Hub: `hf auth login`, or HF_TOKEN")


def push(folder: Path, name: str, *, api: HfApi | None = None) -> str:
    """Uploads an export into a repository, which is made, private, if it is not there.

    Returns:
        Its address.

    Raises:
        RunError: the Hub refuses, or does not answer; the folder is as it was.
    """
    api = api or HfApi()
    try:
        made: Any = api.create_repo(name, private=True, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="Export of sysgraph")
    except Exception as error:  # its client raises what its HTTP library does
        raise RunError(
            f"{folder} is written, but not pushed to {name} (go on with `hf upload {name} "
            f"{folder}`): {error}"
        ) from error
    return str(made)
