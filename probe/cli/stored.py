"""Reads measurements back for commands that look at the past."""

import msgspec

from probe.classify.case import Case
from probe.config.reader import load_config
from probe.model.errors import UserError
from probe.model.measurement import Measurement
from probe.model.settings import Settings
from probe.net.clock import SystemClock
from probe.store.store import Store


def load_settings(config_file: str, store_path: str) -> Settings:
    """Read the configuration, with the database that `--store.path` names; an empty path leaves it as configured.

    Raises:
        UserError: the configuration cannot be read.
    """
    settings = load_config(config_file)
    store = msgspec.structs.replace(settings.store, path=store_path or settings.store.path)
    return msgspec.structs.replace(settings, store=store)


def open_reader(settings: Settings) -> Store:
    """Open the database for reading, beside whoever writes it.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    return Store.open(settings.store, SystemClock(), read_only=True)


def open_writer(settings: Settings) -> Store:
    """Open the database for writing.

    Raises:
        UserError: an agent runs on it, or it cannot be written.
    """
    return Store.open(settings.store, SystemClock())


def load_measurement(store: Store, measurement: str) -> Measurement:
    """Return a stored measurement by its id, or by the start of it.

    Raises:
        UserError: none is stored under it.
    """
    found = store.load_measurement(measurement)
    if found is None:
        remedy = "good runs are kept whole one in a hundred; `wallprobe history TARGET` lists ids"
        raise UserError(measurement, "no such measurement is kept whole", remedy)
    return found


def case_of(measurement: Measurement) -> Case:
    """Return the case that a stored measurement was judged by: reference data aside, nothing else went in.

    What the planner alone reads is left out: it was not judged by.
    """
    return Case(
        target=measurement.target,
        vantage=measurement.vantage,
        observations=measurement.observations,
        experiments=measurement.experiments,
        baseline=measurement.baseline,
        cites=measurement.cites,
        proofs=measurement.proofs,
        controls=(*(report for c in measurement.cites for report in c.controls), *measurement.controls),
        round_apart_s=measurement.rounds_apart_s,
        cold_start=bool(measurement.continues),
        deep=measurement.deep,
    )
