"""Weights from a hub: fetched once, found again in its cache without a network."""

import errno
from collections.abc import Callable
from pathlib import Path

from eidophone.core.errors import BadInput, WeightsAbsent
from eidophone.media.vocoder_files import read_json
from eidophone.models.cards import Card, quoted
from eidophone.models.weights import Layout

_SECONDS_TO_ANSWER = 10


#: Looks at a repository's index before anything else of it is fetched; raises `BadInput` to refuse it.
Check = Callable[[object], None]


def fetched(
    given: Card, layout: Layout, *, offline: bool, index: str = "", check: Check | None = None
) -> Path:
    """The folder of the first of a card's repositories that answers, or that was fetched before.

    Args:
        given: The card.
        layout: Which files are fetched.
        offline: Never connect to the hub.
        index: A small file that says what the repository holds; it is fetched first.
        check: Called with what `index` holds, before anything else is fetched.

    Raises:
        BadInput: from `check`.
        WeightsAbsent: none of them; the message says why, and what to do.
    """
    failures = []
    for repo in given.hub:
        try:
            return _snapshot(repo, given.revision, layout, offline, index, check)
        except BadInput:
            raise
        except Exception as error:  # as in `_snapshot`
            failures.append(f"{repo}: {_short(error)}")
    pull = f"`eidophone models pull {given.name}`" if given.more else "the same command"
    first = f"log in on {given.more} and accept its licence there, run `hf auth login` here once, then "
    raise WeightsAbsent(
        f"The weights of {quoted(given.name)} are not here and could not be fetched ({'; '.join(failures)}); "
        f"{first if given.gated else ''}run {pull} where there is a network, or give a local folder instead "
        "of the name."
    )


def _snapshot(
    repo: str, revision: str, layout: Layout, offline: bool, index: str, check: Check | None
) -> Path:
    """The folder of a repository: what the hub has now, else what was fetched before."""
    from huggingface_hub import constants

    if offline or constants.HF_HUB_OFFLINE:
        return _cached(repo, revision, layout)
    try:
        return _downloaded(repo, revision, layout, index, check)
    except BadInput:
        raise
    except Exception as error:  # the hub's client raises many kinds; each means: not from there
        try:
            return _cached(repo, revision, layout)
        except FileNotFoundError:
            raise error from None


def _downloaded(repo: str, revision: str, layout: Layout, index: str, check: Check | None) -> Path:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    info = HfApi().model_info(repo, revision=revision, timeout=_SECONDS_TO_ANSWER)
    listed = [f.rfilename for f in info.siblings or ()]
    if check is not None and index in listed:
        check(read_json(Path(hf_hub_download(repo, index, revision=info.sha or revision))))
    files = layout.wanted(listed)
    # by the name of the revision, not its commit, so that the cache knows it without a network
    return Path(snapshot_download(repo, revision=revision, allow_patterns=files))


def _cached(repo: str, revision: str, layout: Layout) -> Path:
    """A folder fetched before.

    Raises:
        FileNotFoundError: there is none, or the fetching was broken off.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError as error:
        # the client counts every file of the repository; only those that a loading reads were fetched
        partial = getattr(error, "snapshot_path", None) or _only_snapshot(repo, layout)
        if partial is None:
            raise
        found = Path(partial)
    if not layout.whole(found):
        raise FileNotFoundError(f"{found}: broken off")
    return found


def _only_snapshot(repo: str, layout: Layout) -> Path | None:
    """The newest whole snapshot in a cache that does not say which commit a revision is, such as a copied one."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots"
    whole = [path for path in folder.glob("*") if path.is_dir() and layout.whole(path)]
    return max(whole, key=lambda path: path.stat().st_mtime, default=None)


def _short(error: Exception) -> str:
    name = type(error).__name__
    reasons = {
        "LocalEntryNotFoundError": "not downloaded yet, and the network may not be asked",
        "FileNotFoundError": "only a part was downloaded",
        "RepositoryNotFoundError": "no such repository, or it asks for a login",
        "RevisionNotFoundError": "no such revision",
        "GatedRepoError": "its licence must be accepted on its page first",
        "HFValidationError": "not a name of a repository",
    }
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    if isinstance(error, PermissionError):
        return "the folder of downloads may not be written"
    return reasons.get(name, f"the hub cannot be reached ({name})")
