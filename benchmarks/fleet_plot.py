"""Draws the fleet's requests, once for a light page and once for a dark one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

mpl.use("svg")

from matplotlib import pyplot as plt  # after the choice of what it draws with

if TYPE_CHECKING:
    from pathlib import Path

    from fleet import Row

INKS = {"light": "#24292f", "dark": "#e6edf3"}
COLOURS = {"ramrole-creds": "#0a7cff", "alibabacloud-credentials": "#e8590c", "botocore": "#8b949e"}
DASHES = {"ramrole-creds": "-", "alibabacloud-credentials": "--", "botocore": ":"}
PANELS = {
    ("second life", "metadata"): "Second life after a storm, metadata service",
    ("outage", "metadata"): "After an outage of 30 minutes, metadata service",
    ("second life", "STS"): "Second life after a storm, STS",
    ("outage", "STS"): "After an outage of 30 minutes, STS",
}
SECONDS = {"outage": 60}
BIN_SECONDS = {"outage": 2, "second life": 10}


def draw(rows: list[Row], folder: Path) -> None:
    """Write fleet-light.svg and fleet-dark.svg."""
    size = max(row.processes for row in rows if row.policy != "ramrole-creds")
    for theme, ink in INKS.items():
        style = {
            "svg.fonttype": "none",
            "svg.hashsalt": "fleet",
            "font.family": "sans-serif",
            "text.color": ink,
            "axes.labelcolor": ink,
            "axes.edgecolor": ink,
            "xtick.color": ink,
            "ytick.color": ink,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
        with plt.rc_context(style):
            figure, axes = plt.subplots(2, 2, figsize=(10, 6.4), layout="constrained")
            for axis, ((scenario, service), title) in zip(axes.flat, PANELS.items(), strict=True):
                for row in rows:
                    if (row.scenario, row.service, row.processes) == (scenario, service, size):
                        draw_curve(axis, row)
                axis.set_title(title, fontsize=11)
                axis.set_xlabel("seconds")
                axis.set_ylabel("requests a second")
                if scenario == "outage":
                    axis.set_yscale("log")
                    axis.set_ylim(bottom=10)
                else:
                    axis.set_ylim(bottom=0)
            axes.flat[0].legend(frameon=False, fontsize=9)
            figure.suptitle(f"{size:,} processes", fontsize=12)
            path = folder / f"fleet-{theme}.svg"
            figure.savefig(path, transparent=True, metadata={"Date": None})
            plt.close(figure)
            # A picture within a page names no other host.
            text = re.sub(r"<!DOCTYPE.*?>\n|<metadata>.*?</metadata>\n", "", path.read_text(), flags=re.DOTALL)
            path.write_text("".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def draw_curve(axis: Any, row: Row) -> None:
    """One policy, averaged over a few seconds."""
    width = BIN_SECONDS[row.scenario]
    curve = np.array(row.curve[: SECONDS.get(row.scenario, len(row.curve))])
    curve = curve[: len(curve) // width * width].reshape(-1, width).mean(axis=1)
    axis.step(
        np.arange(len(curve)) * width,
        curve,
        where="post",
        color=COLOURS[row.policy],
        linestyle=DASHES[row.policy],
        label=row.policy,
    )
