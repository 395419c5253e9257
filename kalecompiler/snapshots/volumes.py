"""A hook that has Kubernetes take a snapshot of volumes before each step: VolumeSnapshot, snapshot.storage.k8s.io/v1.

KALEC_VOLUME_SNAPSHOTS names the claims (`data,models`), KALEC_VOLUME_SNAPSHOT_CLASS their class if need be; it works
where the Kubernetes client of kfp finds a cluster, as in a notebook server that has the claims mounted.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from kalecompiler.snapshots.manifest import Manifest

CLAIMS, CLASS = "KALEC_VOLUME_SNAPSHOTS", "KALEC_VOLUME_SNAPSHOT_CLASS"
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Hook:
    """Takes the snapshots; does nothing where no claim is named."""

    timeout = 30.0

    def before(self, ctx: Manifest) -> dict[str, Any] | None:
        """The snapshots that were asked for: claim -> name. They are ready some time later."""
        claims = [name.strip() for name in os.environ.get(CLAIMS, "").split(",") if name.strip()]
        if not claims:
            return None
        from kubernetes import client, config  # type: ignore[import-untyped,unused-ignore]

        try:
            config.load_incluster_config()
        except config.ConfigException:
            config.load_kube_config()
        api, namespace = client.CustomObjectsApi(), _namespace()
        made = {}
        for claim in claims:
            body = manifest(ctx, claim)
            api.create_namespaced_custom_object("snapshot.storage.k8s.io", "v1", namespace, "volumesnapshots", body)
            made[claim] = body["metadata"]["name"]
        return {"namespace": namespace, "snapshots": made}


def manifest(ctx: Manifest, claim: str) -> dict[str, Any]:
    """The VolumeSnapshot of a claim before a step."""
    short = hashlib.sha256(f"{ctx.run}/{ctx.task}/{ctx.attempt}/{claim}".encode()).hexdigest()[:16]
    spec: dict[str, Any] = {"source": {"persistentVolumeClaimName": claim}}
    if name := os.environ.get(CLASS):
        spec["volumeSnapshotClassName"] = name
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": f"kalec-{short}",
            "labels": {"app.kubernetes.io/managed-by": "kalecompiler"},
            "annotations": {"kalecompiler/run": ctx.run, "kalecompiler/step": ctx.step},
        },
        "spec": spec,
    }


def _namespace() -> str:
    try:
        return _NAMESPACE.read_text(encoding="ascii").strip()
    except OSError:
        return "default"
