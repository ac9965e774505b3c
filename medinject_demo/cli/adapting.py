"""``adapters``: recover, verify, list, convert, fetch and push the arms' adapters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ..domain import ARMS, Mixture
from ..errors import ModelError
from .family import REGISTRY_FILE, in_force, usage
from .progress import progress

if TYPE_CHECKING:
    from ..adapters.checkpoint import Checkpoint
    from ..adapters.registry import Profile

STUDIED: Final = "qwen3-4b"
SLUGS: Final = [mixture.slug for mixture in ARMS]
MODEL = click.option("--model", default=STUDIED, show_default=True, help="Profile of the registry.")
REGISTRY = click.option(
    "--registry", type=REGISTRY_FILE, help="File of the profiles.  [default: adapters/registry.toml]"
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
FOLDER = click.Path(path_type=Path)


@click.group()
def adapters() -> None:
    """Recover the study's adapters from its published checkpoints; check, list, convert and share them."""


@adapters.command()
@click.option(
    "--merged", help="Folder, address or Hub id of the merged checkpoint.  [default: the arm's, by the registry]"
)
@click.option("--base", help="Folder, address or Hub id of its base.  [default: the profile's]")
@click.option(
    "--mixture", "mixtures", multiple=True, type=click.Choice(SLUGS), help="Arm of the profile; several times."
)
@click.option("--missing", is_flag=True, help="Every arm of the profile that is not installed.")
@click.option("--output", type=FOLDER, help="Folder of the adapter.  [default: the arm's, by the registry]")
@click.option("--rank", type=click.IntRange(1), help="Rank of the adapter.  [default: found from the singular values]")
@click.option("--revision", help="Branch, tag or commit of the merged checkpoint.  [default: main]")
@click.option(
    "--leave-out", is_flag=True, help="Go on where something changed that no adapter holds; the card says what."
)
@click.option(
    "--keep-hidden", is_flag=True, help="Keep in the adapter what cannot be told from rounding, which may be noise."
)
@MODEL
@REGISTRY
@JSON
def recover(*, mixtures: tuple[str, ...], missing: bool, merged: str | None, **options: Any) -> None:
    """Undo the merge of a checkpoint: find the DoRA adapter that was merged into its base.

    Reads both tensor by tensor, from folders or from the Hub by byte ranges; nothing but the adapter is kept on disk.
    An interrupted run continues when the same command is run again.
    """
    profile = _profile(options["model"], options.pop("registry"))
    if merged is not None and (missing or len(mixtures) > 1):
        raise click.UsageError("Option '--merged' is one checkpoint: give one '--mixture' at most with it.")
    chosen = [Mixture.parse(slug) for slug in mixtures]
    if missing:
        chosen += [arm for arm in ARMS if arm in profile.arms and not profile.arms[arm].installed and arm not in chosen]
    if merged is None and not chosen and not missing:
        raise click.UsageError("Missing option '--merged', '--mixture' or '--missing'.")
    if merged is not None and not chosen and options["output"] is None:
        raise click.UsageError("Missing option '--output', or '--mixture'.")
    if options["output"] is not None and len(chosen) > 1:
        raise click.UsageError("Option '--output' is one folder: give one '--mixture' with it.")
    jobs: list[Mixture | None] = [*chosen] if chosen else [None] if merged else []
    try:
        done = [_recover_one(profile, mixture, merged, **options) for mixture in jobs]
    except KeyboardInterrupt:
        click.echo("interrupted: what was finished is kept; the same command continues.", err=True)
        click.get_current_context().exit(1)
    if options["as_json"]:
        click.echo(json.dumps(done, ensure_ascii=False, indent=2))
    elif not jobs:
        click.echo(f"nothing to recover: every arm of {profile.name} is installed.")


def _profile(name: str, registry: Path | None) -> Profile:
    from ..adapters import registry as profiles

    with usage():
        return profiles.profile(name, registry or profiles.REGISTRY)


def _recover_one(
    profile: Profile, mixture: Mixture | None, merged: str | None, *, output: Path | None, as_json: bool, **options: Any
) -> dict[str, Any]:
    """One adapter, with its progress and its report."""
    from ..adapters.pairs import Pair
    from ..adapters.recover import Request
    from ..adapters.recover import recover as run
    from ..adapters.recovery import summary

    if mixture is not None:
        arm = profile.arms.get(mixture)
        if arm is None or not (merged or arm.merged):
            got = "none" if arm is None else "an arm without one in the registry"
            raise ModelError.of(f"arm {mixture}", expected="a merged checkpoint", got=got, remedy="Give --merged.")
        merged, output = merged or arm.merged, output or arm.folder
    assert merged is not None
    assert output is not None
    pair = Pair(_opened(merged, options["revision"]), _opened(options["base"] or profile.base))
    title = str(mixture or output.name)
    request = Request(
        pair, output, options["rank"], options["leave_out"], options["keep_hidden"], f"{title} (recovered)"
    )
    with progress(title) as report:
        recovery = run(request, lambda step: report(step.done, step.total, step.what))
    if not as_json:
        click.echo(f"{summary(recovery)}\nwritten: {output}")
    return recovery.as_dict() | {"output": str(output)}


def _opened(name: str, revision: str | None = None) -> Checkpoint:
    from ..adapters.checkpoint import open_checkpoint
    from ..adapters.source import open_source

    return open_checkpoint(open_source(name, revision=revision, token=in_force().hub_token or None))


@adapters.command()
@click.argument("adapter", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--merged", help="The merged checkpoint.  [default: the one that the adapter was recovered from]")
@click.option("--base", help="Its base.  [default: the one that the adapter was recovered with]")
@click.option("--revision", help="Branch, tag or commit of the merged checkpoint.  [default: the recorded one]")
@click.option("--base-revision", help="Branch, tag or commit of its base.  [default: the recorded one]")
@click.option("--tolerance", type=click.FloatRange(0, min_open=True), default=1e-3, show_default=True)
@click.option("--streamed/--whole", default=None, help="Read weight by weight, or load.  [default: by the size]")
@JSON
def verify(adapter: Path, *, tolerance: float, streamed: bool | None, as_json: bool, **named: str | None) -> None:
    """Compare the answers of ADAPTER on its base, through peft and through the engine, with the merged checkpoint's.

    Differences are of logits, beside their standard deviation; exit code 1 where one is above the tolerance. What is
    not named is what the record of the recovery names: at its commit, and with the files that it had then.
    """
    from ..adapters.verify import verify as run
    from ..assembly import hush_libraries

    hush_libraries()
    revisions = {"merged": named["revision"], "base": named["base_revision"]}
    opened = [_beside(adapter, which, named[which], revision) for which, revision in revisions.items()]
    whole = None if streamed is None else not streamed
    found = run(adapter, *opened, tolerance=tolerance, whole=whole)
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
    else:
        for each in found.differences:
            same = {None: "", True: ", same next token", False: ", ANOTHER next token"}[each.same_token]
            click.echo(f"{each.way}: {each.most:.2e}{same}  ({each.subject.splitlines()[0]})")
    found.require()


def _beside(adapter: Path, which: str, named: str | None, revision: str | None) -> Checkpoint:
    """The checkpoint that is named, else the one that an adapter's record names."""
    from ..adapters.recorded import Recorded

    record = Recorded.of(adapter, which)
    if named is None and record is None:
        raise click.UsageError(f"Missing option '--{which}': no record of {adapter} says where that is.")
    if named is None and revision is None and record is not None:
        return record.open(in_force().hub_token or None)
    return _opened(named or (record.name if record else ""), revision)


@adapters.command("list")
@REGISTRY
@JSON
def list_(registry: Path | None, as_json: bool) -> None:
    """List every arm: installed, recoverable or missing, its size, fingerprint and origin."""
    from ..adapters import registry as profiles
    from ..adapters.listing import listed, table

    rows = list(listed(profiles.load_registry(registry or profiles.REGISTRY)))
    click.echo(json.dumps([each.as_dict() for each in rows], ensure_ascii=False, indent=2) if as_json else table(rows))


@adapters.command()
@click.argument("adapter", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--to", "kind", type=click.Choice(["lora"]), default="lora", show_default=True)
@click.option("--rank", type=click.IntRange(1), required=True, help="Rank of the plain LoRA adapter.")
@click.option("--base", help="Folder or Hub id of its base.  [default: the one in adapter_config.json]")
@click.option("--output", type=FOLDER, required=True, help="Folder of the new adapter.")
@click.option("--force", is_flag=True, help="Write it whatever it loses.")
@JSON
def convert(adapter: Path, kind: str, rank: int, base: str | None, output: Path, force: bool, as_json: bool) -> None:
    """Make a plain LoRA of the DoRA adapter ADAPTER, for servers that know no magnitude.

    The scales of DoRA fit no low rank: at ranks 16 to 64, 23 to 45 % of the change is a usual loss. It is measured, and
    above 1 % nothing is written unless forced.
    """
    from ..adapters.convert import convert as run

    with progress("converting") as report:
        done = run(
            adapter, base or _base_of(adapter), output, rank, force=force, tick=lambda at, of: report(at, of, "layers")
        )
    said = (
        f"rank {done.rank}: {done.total:.3%} of the change lost, {done.worst:.3%} in the worst layer\nwritten: {output}"
    )
    click.echo(json.dumps(done.as_dict(), indent=2) if as_json else said)


def _base_of(adapter: Path) -> str:
    from ..adapters.folder import HASHED
    from ..files import said_in

    name = str(said_in(adapter / "adapter_config.json").get("base_model_name_or_path") or HASHED)
    if name.startswith(HASHED):
        raise click.UsageError(f"Missing option '--base': {adapter} does not say where its base is.")
    return name


@adapters.command()
@click.argument("repository")
@click.option(
    "--mixture", "mixtures", multiple=True, type=click.Choice(SLUGS), help="Arm; several times.  [default: all]"
)
@click.option("--revision", help="Branch, tag or commit.  [default: main]")
@MODEL
@REGISTRY
def fetch(repository: str, mixtures: tuple[str, ...], revision: str | None, model: str, registry: Path | None) -> None:
    """Install arms from REPOSITORY of the Hub, as `adapters push` writes it: every file checked by its hash."""
    from ..adapters.hub import fetch as run
    from ..assembly import hush_libraries

    hush_libraries()
    token = in_force().hub_token or None
    run(repository, _profile(model, registry), mixtures, token=token, revision=revision, say=click.echo)


@adapters.command()
@click.argument("repository")
@click.option(
    "--mixture", "mixtures", multiple=True, type=click.Choice(SLUGS), help="Arm; several times.  [default: all]"
)
@click.option("--yes", is_flag=True, help="Upload; without it, only say what would be.")
@click.option("--public", is_flag=True, help="Make a new repository public; it is private without.")
@MODEL
@REGISTRY
def push(
    repository: str, mixtures: tuple[str, ...], yes: bool, public: bool, model: str, registry: Path | None
) -> None:
    """Upload the installed arms to REPOSITORY of the Hub, with a manifest of hashes; a dry run unless --yes.

    Base and checkpoints are named there by their repository, else by the hash of their weights, never by a folder.
    A repository that is there stays as private or public as it is.
    """
    from huggingface_hub import HfApi

    from ..adapters.hub import push as run
    from ..adapters.hub import upload_of

    upload = upload_of(_profile(model, registry), mixtures, repository)
    for line in upload.lines():
        click.echo(line)
    if not yes:
        seen = "public" if public else "private"
        click.echo(f"dry run: {upload.size / 1e6:.1f} MB would go to {repository}, {seen} if new. Upload with --yes.")
        return
    click.echo(f"uploaded: {run(upload, HfApi(token=in_force().hub_token or None), public=public)}")
