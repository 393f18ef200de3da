"""Do cut-offs keep their promise, and how much do they let through? Simulated, where the true precision is known.

    python benchmarks/cutoffs.py --draws 400

Held-out finds are drawn again and again from populations of which the precision above every cut-off is known. For each
procedure: the share of draws in which the true precision above the cut-off that it chose is below the wanted one (at
worst, over populations and numbers of finds), and how many finds it lets through, as a share of what the best cut-off
would, on average; a broken promise counts as nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from attrex.inference.selection import choose_cutoff, finds_needed, least_finds

LEVEL = 0.95
SIZE = 100_000
NUMBERS = (150, 200, 300, 600, 1500, 5000)
Procedure = Callable[[np.ndarray, float], int]
"""(N,) errors among the 1, 2, .. N surest finds, wanted precision -> how many finds are kept; 0: none."""


@dataclass(frozen=True)
class Population:
    """Finds, surest first, of equal share each."""

    confidence: np.ndarray  #: (SIZE,) decreasing, 0..1
    chance: np.ndarray  #: (SIZE,) of being right

    def precision(self) -> np.ndarray:
        """(SIZE,) of the finds down to each."""
        return np.cumsum(self.chance) / np.arange(1, SIZE + 1)

    def best(self, wanted: float) -> int:
        """How many finds the lowest cut-off with the precision keeps."""
        enough = np.flatnonzero(self.precision() >= wanted - 1e-9)
        return int(enough[-1]) + 1 if len(enough) else 0

    def draw(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Held-out finds, surest first: (N,) their places in the population, (N,) bool whether right."""
        places = np.sort(rng.integers(0, SIZE, number))
        return places, rng.random(number) < self.chance[places]


def populations(wanted: float) -> dict[str, Population]:
    """Calibrated and not, with confidences that say much or nothing, and such that rank wrongly."""
    rng = np.random.default_rng(0)
    place = np.arange(SIZE) / SIZE
    spread = np.linspace(1, 0, SIZE)
    calibrated = {f"calibrated, mean {a / (a + b):.2f}": np.sort(rng.beta(a, b, SIZE))[::-1] for a, b in BETAS}
    found = {name: Population(c, c) for name, c in calibrated.items()}
    sure = np.sort(rng.beta(12, 0.4, SIZE).clip(1e-9, 1 - 1e-9))[::-1]
    found["overconfident"] = Population(sure, 1 / (1 + (1 / sure - 1) ** 0.6))
    for share in (0.95, 0.985, 0.99, 0.995, wanted - 1e-4):  # the last is the hardest to refuse
        found[f"confidence says nothing, {share}"] = Population(spread, np.full(SIZE, share))
    found["0.99, then 0.8"] = Population(spread, np.where(place < 0.6, 0.99, 0.8))
    worse = calibrated["calibrated, mean 0.91"].copy()
    worse[: SIZE // 10] = 0.93
    found["surest tenth worse"] = Population(spread, worse)
    found["wrong ones in the middle"] = Population(
        spread, np.where(abs(place - 0.51) < 0.01, 0.0, 0.99 - (place < 0.5) / 100)
    )
    return found


BETAS = ((6, 0.6), (20, 0.5), (3, 0.3))


def observed_share(errors: np.ndarray, wanted: float) -> int:
    """The lowest cut-off of which the held-out finds have the precision."""
    enough = np.flatnonzero(1 - errors / np.arange(1, len(errors) + 1) >= wanted)
    return int(enough[-1]) + 1 if len(enough) else 0


def each_of_100(errors: np.ndarray, wanted: float) -> int:
    """A hundred cut-offs, each tested at a hundredth of the level (Bonferroni)."""
    ranks = np.unique(np.linspace(1, len(errors), 100).astype(int))
    return max((k for k in ranks if proves(k, errors, wanted, (1 - LEVEL) / 100)), default=0)


def fixed_sequence(step: float, start: float = 0.0, starts: int = 1) -> Procedure:
    """From the strictest cut-off (``start``: of this share of the finds) down while every test passes.

    ``starts``: so many of them from the strictest to all, with the level split between them.
    """

    def procedure(errors: np.ndarray, wanted: float) -> int:
        spend = (1 - LEVEL) / starts
        least = max(least_finds(wanted, 1 - spend), int(start * len(errors)))
        if len(errors) < least:
            return 0
        firsts = np.unique(np.geomspace(least, len(errors), starts + 1)[:-1].astype(int))
        return max(_descend(errors, wanted, first, step, spend) for first in firsts)

    return procedure


def fallback(errors: np.ndarray, wanted: float, step: float = 1.25) -> int:
    """Every cut-off has an equal part of the level, and hands it on to the next if it passes (Wiens 2003)."""
    number = 1
    while least_finds(wanted, 1 - (1 - LEVEL) / (number + 1)) * step**number <= len(errors):
        number += 1
    least = least_finds(wanted, 1 - (1 - LEVEL) / number)
    if len(errors) < least:
        return 0
    best, level = 0, 0.0
    for rank in np.unique(np.geomspace(least, len(errors), number).astype(int)):
        level += (1 - LEVEL) / number
        if proves(rank, errors, wanted, level):
            best = int(rank)
        else:
            level = 0.0
    return best


def attrex(errors: np.ndarray, wanted: float) -> int:
    """What `choose_cutoff` does."""
    number = len(errors)
    cutoff = choose_cutoff(np.linspace(1, 0, number), np.diff(errors, prepend=0) == 0, wanted, LEVEL)
    return cutoff.kept if cutoff.threshold is not None else 0


PROCEDURES: Mapping[str, Procedure] = {
    "observed share": observed_share,
    "100 cut-offs, level split (Bonferroni)": each_of_100,
    "fixed sequence, every cut-off": fixed_sequence(1.0),
    "fixed sequence, steps of 25 %": fixed_sequence(1.25),
    "fixed sequence from half of the finds": fixed_sequence(1.15, start=0.5),
    "five starts, level split": fixed_sequence(1.25, starts=5),
    "fallback, steps of 25 %": fallback,
    "allowed errors (attrex)": attrex,
}


def proves(rank: int, errors: np.ndarray, wanted: float, spend: float) -> bool:
    """Whether the Clopper-Pearson bound of the surest finds reaches the wanted precision."""
    return int(rank) >= finds_needed(int(errors[rank - 1]), wanted, 1 - spend)


def _descend(errors: np.ndarray, wanted: float, first: int, step: float, spend: float) -> int:
    best = 0
    for rank in _ranks(first, len(errors), step):
        if not proves(rank, errors, wanted, spend):
            break
        best = rank
    return best


def _ranks(first: int, last: int, step: float) -> Iterator[int]:
    while first < last:
        yield first
        first = max(first + 1, round(first * step))
    yield last


def trial(procedure: Procedure, population: Population, number: int, wanted: float, draws: int) -> tuple[float, float]:
    """Share of draws in which the promise is broken, and mean share of the best that is let through."""
    rng = np.random.default_rng(number)
    precision, best = population.precision(), population.best(wanted)
    broken, through = 0, 0.0
    for _ in range(draws):
        places, right = population.draw(number, rng)
        kept = procedure(np.cumsum(~right), wanted)
        if kept and precision[places[kept - 1]] < wanted - 1e-9:
            broken += 1
        elif kept:
            through += min((places[kept - 1] + 1) / best, 1.0)
    return broken / draws, through / draws


def pool_trial(wanted: float, spread: float, draws: int, attributes: int = 15) -> tuple[float, ...]:
    """Attributes with 10 to 140 held-out finds and one cut-off together, which differ by ``spread`` in how far off
    their confidences are (logits).

    Share of draws in which the pool reaches the precision; in which it is broken, in the mix of the held-out finds, and
    where every attribute has up to several times as many or few of the blank cells; and share of the attributes below
    the precision in pools that reach it.
    """
    rng = np.random.default_rng(0)
    sure = np.sort(rng.beta(6, 0.6, 2000).clip(1e-9, 1 - 1e-9))[::-1]
    outcomes = []
    for _ in range(draws):
        numbers = rng.lognormal(3.7, 0.8, attributes).clip(10, 140).astype(int)
        shifts = rng.normal(0, spread, attributes)
        chances = 1 / (1 + (1 / sure - 1) * np.exp(-shifts[:, None]))  # (attributes, 2000)
        drawn = [(a, rng.integers(0, len(sure), n)) for a, n in enumerate(numbers)]
        right = np.concatenate([rng.random(len(at)) < chances[a, at] for a, at in drawn])
        cutoff = choose_cutoff(np.concatenate([sure[at] for _, at in drawn]), right, wanted, LEVEL)
        if cutoff.threshold is None:
            outcomes.append((0.0, 0.0, 0.0, np.nan))
            continue
        each = chances[:, sure >= cutoff.threshold].mean(1)
        mix = numbers * rng.lognormal(0, 1, attributes)
        broken = [float(np.average(each, weights=weights) < wanted) for weights in (numbers, mix)]
        outcomes.append((1.0, *broken, float((each < wanted).mean())))
    return tuple(np.nanmean(outcomes, axis=0))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400, help="of held-out finds, for each population and number")
    draws = parser.parse_args(arguments).draws
    for wanted in (0.90, 0.95, 0.98):
        drawn = populations(wanted)
        print(f"\n| wanted {wanted:.2f} | broken, at worst | {' | '.join(f'{n:,} finds' for n in NUMBERS)} |")
        print("|---" * (len(NUMBERS) + 2) + "|")
        for name, procedure in PROCEDURES.items():
            figures = {n: [trial(procedure, p, n, wanted, draws) for p in drawn.values()] for n in NUMBERS}
            worst = max(broken for row in figures.values() for broken, _ in row)
            can = [p.best(wanted) > SIZE / 50 for p in drawn.values()]
            means = [np.mean([t for (_, t), ok in zip(figures[n], can, strict=True) if ok]) for n in NUMBERS]
            print(f"| {name} | {worst:.1%} | {' | '.join(f'{m:.2f}' for m in means)} |", flush=True)
    print("\n| pool: wanted | attributes differ by | reached | broken | broken, other mix | attributes below |")
    print("|---|---|---|---|---|---|")
    for wanted, spread in product((0.90, 0.95, 0.98), (0.0, 0.5, 1.0)):
        shares = " | ".join(f"{share:.1%}" for share in pool_trial(wanted, spread, draws))
        print(f"| {wanted:.2f} | {spread} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
