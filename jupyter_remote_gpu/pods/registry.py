"""The pods that the user has named, in ``pods.json``."""

from __future__ import annotations

import itertools
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput, Conflict
from ..files import private_folder, replace, set_aside
from ..models import check_pod_name, no_such_pod
from . import hostkeys
from .command import SSHTarget, parse_ssh

__all__ = ["Pod", "Registry", "own_key_path"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pod:
    """A name, and where it leads.

    Attributes
    ----------
    python : str or None
        The Python on the pod in which its kernels run; None: the pod's own kernelspecs.
    """

    name: str
    target: SSHTarget
    python: str | None = None

    @property
    def address(self) -> str:
        """``user@host:port`` as shown to the user."""
        return self.target.address

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "ssh": self.target.to_json(), "python": self.python}

    @classmethod
    def from_json(cls, data: object) -> Pod:
        """The inverse of `to_json`.

        Raises
        ------
        BadInput
        """
        if not isinstance(data, dict):
            raise BadInput("A pod is not readable: it is no JSON object.")
        name, target = check_pod_name(data.get("name")), SSHTarget.from_json(data.get("ssh"))
        return cls(name, target, _check_python(data.get("python")))


def own_key_path(folder: Path, name: str) -> Path:
    """Where our own private key for pod `name` lies, if there is one."""
    return folder / "keys" / check_pod_name(name)


class Registry:
    """All pods of this laptop.

    Parameters
    ----------
    folder : Path
        The data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "pods.json"
        self._pods: dict[str, Pod] = {}
        self._load()

    def pods(self) -> list[Pod]:
        """All pods, by name."""
        return [self._pods[name] for name in sorted(self._pods)]

    def get(self, name: object) -> Pod:
        """The pod of that name.

        Raises
        ------
        NotFound
            With the names there are.
        """
        found = self._pods.get(name) if isinstance(name, str) else None
        if found is None:
            raise no_such_pod(name, self._pods)
        return found

    def add(self, name: str | None, ssh: str | Sequence[str], python: str | None = None) -> Pod:
        """Register a pod under `name`; without one, under a name made of its host.

        Raises
        ------
        BadInput
            If the name, the ssh command or the Python cannot be used.
        Conflict
            If there is such a pod already.
        """
        target = None
        if name is None:
            target = parse_ssh(ssh)
            name = self._free_name(target.host)
        check_pod_name(name)
        # Names become file names, and macOS takes Pod and pod for one.
        taken = next((n for n in self._pods if n.casefold() == name.casefold()), None)
        if taken is not None:
            raise Conflict(
                f"There is a pod {taken} already ({self._pods[taken].address}): choose another "
                f"name, or remove that one: jupyter remote-gpu remove {taken}"
            )
        pod = Pod(name, target or parse_ssh(ssh), _check_python(python))
        self._save({**self._pods, name: pod})
        return pod

    def remove(self, name: str) -> None:
        """Forget a pod, with its host key, our own key for it and what a probe said.

        Raises
        ------
        NotFound
        """
        self.get(name)
        self._save({n: p for n, p in self._pods.items() if n != name})
        hostkeys.forget(self._folder, name)
        own_key_path(self._folder, name).unlink(missing_ok=True)
        (self._folder / "probes" / f"{name}.json").unlink(missing_ok=True)

    def pin(self, name: str, key: str) -> None:
        """Trust the host key `key` (an OpenSSH public key line) for pod `name`.

        Raises
        ------
        NotFound, BadInput
        """
        hostkeys.pin(self._folder, self.get(name).name, key)

    def _free_name(self, host: str) -> str:
        """`host` as a pod can be called; with a number behind it if that is taken."""
        text = re.sub(r"[^A-Za-z0-9._-]|\.(?=\.)", "-", host).strip("._-")[:56] or "pod"
        taken = {n.casefold() for n in self._pods}
        names = (text if n == 1 else f"{text}-{n}" for n in itertools.count(1))
        return next(name for name in names if name.casefold() not in taken)

    def _save(self, pods: dict[str, Pod]) -> None:
        value = {"pods": [pods[n].to_json() for n in sorted(pods)]}
        private_folder(self._folder)
        replace(self._path, json.dumps(value, ensure_ascii=False, indent=1), sync=True)
        self._pods = pods

    def _load(self) -> None:
        """Read what is there. What is damaged is set aside, what is whole is kept."""
        try:
            value = json.loads(self._path.read_bytes())
            entries = value["pods"] if isinstance(value, dict) else None
            if not isinstance(entries, list):
                raise ValueError("no list of pods")
        except FileNotFoundError:
            return
        except (ValueError, KeyError, RecursionError) as e:
            aside = set_aside(self._path).name
            log.warning("%s is damaged (%s) and was set aside as %s", self._path, e, aside)
            return
        bad = []
        for entry in entries:
            try:
                pod = Pod.from_json(entry)
                if any(n.casefold() == pod.name.casefold() for n in self._pods):
                    raise BadInput(f"There are two pods {pod.name}.")
                self._pods[pod.name] = pod
            except BadInput as e:
                bad.append(str(e))
        if bad:
            aside = set_aside(self._path).name
            log.warning("%s: %s It was set aside as %s", self._path, " ".join(bad), aside)
            self._save(self._pods)


def _check_python(python: object) -> str | None:
    if python is None:
        return None
    if not isinstance(python, str) or not python.strip() or len(python) > 1024:
        raise BadInput(f"{python!r:.80} does not name a Python on the pod: give its path there.")
    if not python.isprintable() or python.startswith("-"):
        raise BadInput(f"{python!r:.80} does not name a Python on the pod: give its path there.")
    return python
