"""``linkage model``: look at models, list them, compare two, promote one."""

import argparse
import json
import math
import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation import comparison
from linkage.cli.flags import ENGINE, OUT, TABLES, Command, Flag, Group, Result, column_map
from linkage.errors import UserError
from linkage.messages import say, word
from linkage.progress import Terminal
from linkage.reports.pages import at_most, count, percent
from models import Model, ModelError, promotion


def read_model(name: str) -> Model:
    """A model by its folder, by the name of one shipped, or by the name of one promoted.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    return _read(_folder_of(name))


def model_in_use() -> Model:
    """The model promoted last, else the shipped default.

    Raises:
        UserError: it cannot be read.
    """
    with _promotions():
        last = promotion.read_history(_promoted()).last
        folder = promotion.copy_of(last, _promoted()) if last else promotion.shipped()[promotion.DEFAULT]
    return _read(folder)


def _promoted() -> Path:
    """The folder of promoted models."""
    return Path(os.environ.get("LINKAGE_MODELS") or "linkage-models")


def _folder_of(name: str) -> Path:
    if Path(name).exists():
        return Path(name)
    shipped = promotion.shipped()
    if name in shipped:
        return shipped[name]
    with _promotions():
        for each in reversed(promotion.read_history(_promoted()).promotions):
            if name in (each.folder, each.name):
                return promotion.copy_of(each, _promoted())
    raise UserError("model.none", name=name, shipped=", ".join(shipped), folder=_promoted())


def _read(folder: Path) -> Model:
    try:
        return Model.read(folder)
    except OSError as error:
        raise UserError("model.unreadable", path=folder / "model.json", reason=error.strerror) from error
    except ModelError as error:
        raise UserError("model.unreadable", path=folder / "model.json", reason=error) from error


@contextmanager
def _promotions() -> Iterator[None]:
    """What is wrong with the folder of promoted models, said to the user."""
    try:
        yield
    except promotion.PromotionError as error:
        raise UserError(f"promotion.{error.reason}", **error.facts) from error
    except OSError as error:
        raise UserError(
            "promotion.folder", path=error.filename or _promoted(), reason=error.strerror or error
        ) from error


def _show(flags: argparse.Namespace) -> Result:
    model, language = read_model(flags.name), flags.lang
    strata = [
        (
            word(f"stratum.{stratum}", language),
            f"{accept:.6f}" if accept <= 1 else say("model.never", language),
            *_proof(model.evidence, language, stratum),
        )
        for stratum, accept in model.thresholds.accept.items()
    ]
    levels = [
        (f"{comparison}.{level}", f"{learned.m:.4g}", f"{learned.u:.4g}", f"{math.log2(learned.m / learned.u):+.2f}")
        for comparison, levels in model.parameters.items()
        for level, learned in levels.items()
    ]
    heads = ("stratum", "accept_from", "proven", "labelled", "false_links")
    lines = [
        f"{model.name} {model.digest}",
        say(
            "model.prior",
            language,
            share=percent(model.in_registry, language),
            labels=_number(_labels(model), language),
        ),
        "",
        *_table([_say(heads, language), *strata, _over_all(model, language)]),
        say("model.review", language, review=f"{model.thresholds.review:.6g}"),
        "",
        *_table([_say(("level", "m", "u", "bits"), language), *levels]),
    ]
    return Result("\n".join(lines), {"digest": model.digest, **json.loads(model.to_json())})


def _over_all(model: Model, language: str) -> tuple[str, ...]:
    return (say("model.all", language), "", *_proof(model.evidence, language))


def _proof(evidence: Mapping[str, Any], language: str, stratum: str | None = None) -> tuple[str, str, str]:
    """What the labels proved of false links: their rate at most, labelled doses, false links among the accepted."""
    found = _measured(evidence, stratum)
    doses, errors = (_number(found.get(key), language) for key in ("doses", "errors"))
    bound = found.get("bound")
    proven = at_most(bound, language) if found.get("doses") and bound else "–"
    return proven, doses, errors


def _measured(evidence: Mapping[str, Any], stratum: str | None = None) -> Mapping[str, Any]:
    """The false links among accepts that were measured in training; empty where the model does not say."""
    found: Any = evidence.get("thresholds")
    for key in ("strata", stratum, "false_links") if stratum else ("false_links",):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _labels(model: Model) -> int | None:
    labels = model.evidence.get("labels")
    pairs = [labels.get(kind) for kind in ("positives", "negatives")] if isinstance(labels, Mapping) else []
    numbers = [number for number in pairs if isinstance(number, int)]
    return sum(numbers) if numbers else None


def _number(number: int | None, language: str) -> str:
    return "–" if number is None else count(number, language)


def _list(flags: argparse.Namespace) -> Result:
    language = flags.lang
    with _promotions():
        history = promotion.read_history(_promoted())
    models = [*_shipped_rows(in_use=history.last is None), *_promoted_rows(history)]
    heads = _say(("model", "digest", "promoted", "labels", "proven", ""), language)
    rows = [
        (
            row["name"],
            row["digest"][:12],
            (row["promoted_at"] or "–")[:10],
            _number(row["labels"], language),
            at_most(row["proven"], language) if row["proven"] else "–",
            say(f"model.{row['state']}", language),
        )
        for row in models
    ]
    lines = _table([heads, *rows])
    if history.last:
        last = history.last
        why = (
            [say("model.compared", language, verdict=word(f"verdict.{last.verdict}", language))] if last.verdict else []
        )
        why += [last.because] if last.because else []
        reason = "; ".join(why) or say("model.first", language)
        lines.append(say("model.promoted", language, name=last.folder, by=last.by, at=last.at, because=reason))
    lines += _cut_off(history, language)
    data = {"models": models, "promotions": [asdict(each) for each in history.promotions], "cut_off": history.cut_off}
    return Result("\n".join(lines), data)


def _shipped_rows(*, in_use: bool) -> Iterator[dict[str, Any]]:
    for name, folder in promotion.shipped().items():
        state = "in_use" if in_use and name == promotion.DEFAULT else "shipped"
        yield _row(_read(folder), name, state, None)


def _promoted_rows(history: promotion.History) -> Iterator[dict[str, Any]]:
    """Every copy once, at its last promotion."""
    for each in {each.folder: each for each in history.promotions}.values():
        state = "in_use" if history.last and each.folder == history.last.folder else "replaced"
        try:
            model = Model.read(promotion.copy_of(each, _promoted()))
        except (promotion.PromotionError, ModelError, OSError):
            yield _row(None, each.folder, "damaged", each)
        else:
            yield _row(model, each.folder, state, each)


def _row(model: Model | None, name: str, state: str, promoted: promotion.Promotion | None) -> dict[str, Any]:
    found = _measured(model.evidence) if model else {}
    return {
        "name": name,
        "digest": model.digest if model else promoted.digest if promoted else "",
        "state": state,
        "written_at": promoted.written_at if promoted else None,
        "promoted_at": promoted.at if promoted else None,
        "labels": _labels(model) if model else None,
        "proven": found.get("bound") if found.get("doses") else None,
    }


def _promote(flags: argparse.Namespace) -> Result:
    language, source = flags.lang, _folder_of(flags.name)
    model = _read(source)
    with _promotions():
        verdict = promotion.read_verdict(flags.comparison) if flags.comparison else None
        before = promotion.read_history(_promoted())
        done = promotion.promote(
            _promoted(),
            source,
            by=flags.by or _login(),
            because=flags.because,
            verdict=verdict,
            in_use=read_model(promotion.DEFAULT).digest,
        )
    if done is None:
        text = say("promote.already", language, name=model.name, digest=model.digest[:12])
        return Result(text, {"promoted": False, "digest": model.digest})
    name = str(_promoted() / done.folder)
    text = say("promote.done", language, name=name, by=done.by, replaced=(done.replaced or "–")[:12])
    return Result("\n".join([*_cut_off(before, language), text]), {"promoted": True, **asdict(done)})


def _login() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError as error:
        raise UserError("promotion.nobody") from error


def _cut_off(history: promotion.History, language: str) -> list[str]:
    if history.cut_off is None:
        return []
    return [say("promotion.cut_off", language, path=_promoted() / promotion.RECORD, line=history.cut_off)]


def _compare(flags: argparse.Namespace) -> Result:
    job = comparison.CompareJob(
        a=read_model(flags.a),
        b=read_model(flags.b),
        doses=flags.doses,
        citizens=flags.citizens,
        labels=flags.labels,
        out=flags.out,
        threads=flags.threads,
        memory=flags.memory,
        columns=column_map(flags),
        language=flags.lang,
        force=flags.force,
    )
    found = comparison.compare(job, progress=Terminal(flags.lang))
    return Result("\n".join(comparison.summary(found, flags.lang, flags.out)), found.as_dict())


def _say(keys: Sequence[str], language: str) -> tuple[str, ...]:
    return tuple(say(f"model.head.{key}", language) if key else "" for key in keys)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


_MODEL = Flag("name", {"metavar": "MODEL"})

MODEL = Group(
    "model",
    (
        Command("show", (_MODEL,), _show),
        Command("list", (), _list),
        Command(
            "compare",
            (
                Flag("a", {"metavar": "A"}),
                Flag("b", {"metavar": "B"}),
                *TABLES,
                Flag("--labels"),
                OUT,
                *ENGINE,
            ),
            _compare,
        ),
        Command(
            "promote",
            (
                _MODEL,
                Flag("--comparison", {"type": Path, "metavar": "FILE"}),
                Flag("--because", {"metavar": "TEXT"}),
                Flag("--by", {"metavar": "NAME"}),
            ),
            _promote,
        ),
    ),
)
