"""How far long work has come, and how long it will still take, on stderr."""

import sys
import time
from typing import Protocol, TextIO

from linkage.messages import catalogue, say


class Progress(Protocol):
    """What long work reports to; pass `silent` where nobody looks."""

    def __call__(self, stage: str, done: float, total: float) -> None:
        """``done`` of ``total`` units of ``stage`` are finished."""


def silent(stage: str, done: float, total: float) -> None:
    """Report nothing."""


class Terminal:
    """A bar on a terminal, a plain line at most every ten seconds elsewhere."""

    def __init__(self, language: str = "en", stream: TextIO | None = None) -> None:
        self._language = language
        self._stream: TextIO | None = stream or sys.stderr
        self._live = (stream or sys.stderr).isatty()
        self._stage = ""
        self._finished = ""
        self._started = 0.0
        self._printed = 0.0

    def __call__(self, stage: str, done: float, total: float) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._printed = stage, now, float("-inf")
        finished = done >= total
        if finished and self._finished == stage:
            return
        self._finished = stage if finished else ""
        if not finished and now - self._printed < (0.2 if self._live else 10.0):
            return
        self._printed = now
        share = min(done / total, 1.0) if total else 1.0
        spent = now - self._started
        key = f"progress.{stage.replace(' ', '_')}"
        name = say(key, self._language) if key in catalogue() else stage
        text = say("progress.done", self._language, stage=name, share=f"{share:4.0%}", spent=_clock(spent))
        if 0 < share < 1:
            text += say("progress.left", self._language, left=_clock(spent / share - spent))
        try:
            self._write(text, share, finished=finished)
        except OSError:
            # nobody listens any more: the work goes on
            self._stream = None

    def _write(self, text: str, share: float, *, finished: bool) -> None:
        if self._stream is None:
            return
        if self._live:
            bar = "█" * round(share * 24)
            self._stream.write(f"\r\x1b[K{bar:·<24} {text}" + ("\n" if finished else ""))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
