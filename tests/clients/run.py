#!/usr/bin/env python3
"""Downloads by other people's clients, through sidecars: a file is one revision, or the client says that it failed.

Needs what `cargo test --workspace` has built, and requirements.txt; tests/run sees to both. Prints a line for each
scenario; names of scenarios, or parts of them, run only those.
"""

import contextlib
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import boto3
from botocore.config import Config

import pattern
from servers import ENVIRONMENT, PATIENCE, S3, Service, Sidecar

HERE = pathlib.Path(__file__).resolve().parent
SIZE = 64 << 20
PART = 16 << 20
CLIENTS = ["boto3", "crt"]


class Object:
    """A key of the bucket, whose revisions are uploaded in parts, so that one becomes current in a moment."""

    numbers = itertools.count(100)

    def __init__(self, s3):
        self.number = next(self.numbers)
        self.key = f"archive-{self.number}.tar"
        keys = s3.environment
        self.s3 = boto3.client(
            "s3",
            endpoint_url=s3.url,
            region_name="us-east-1",
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            config=Config(proxies={}, request_checksum_calculation="when_required"),
        )

    def stage(self, revision):
        """Uploads it; what is returned makes it current."""
        name = {"Bucket": "box", "Key": self.key}
        upload = name | {"UploadId": self.s3.create_multipart_upload(**name)["UploadId"]}
        parts = []
        for number, start in enumerate(range(0, SIZE, PART), 1):
            data = pattern.body(self.number, revision, start, min(start + PART, SIZE))
            tag = self.s3.upload_part(**upload, PartNumber=number, Body=data)["ETag"]
            parts.append({"ETag": tag, "PartNumber": number})
        return lambda: self.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    def put(self, revision):
        self.stage(revision)()

    def delete(self):
        self.s3.delete_object(Bucket="box", Key=self.key)


class Way:
    """How clients get to the object."""

    def __init__(self, route, endpoint, proxy=None, keys=None):
        self.route = route
        self.environment = ENVIRONMENT | {
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            # Nobody looks at them, unless the way leads to S3 itself.
            "AWS_ACCESS_KEY_ID": "unused",
            "AWS_SECRET_ACCESS_KEY": "unused",
        }
        self.environment |= {"HTTP_PROXY": proxy, "http_proxy": proxy} if proxy else {}
        self.environment |= keys or {}


def ways(s3, sidecar):
    port = s3.url.rsplit(":", 1)[1]
    keys = {name: s3.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    return {
        "by a reverse route": Way("reverse", sidecar.url),
        "by HTTP_PROXY": Way("proxied", s3.url, proxy=sidecar.url),
        "by HTTP_PROXY, passed on": Way("passed", f"http://localhost:{port}", proxy=sidecar.url, keys=keys),
    }


def download(client, way, item, folder, meanwhile=None):
    """The revision that came, or what the client said instead; `meanwhile` runs between two of its reads."""
    file = pathlib.Path(folder) / "downloaded"
    command = [sys.executable, str(HERE / "download.py"), client, "box", item.key, str(file)]
    with subprocess.Popen(
        command + (["pause"] if meanwhile else []),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=way.environment,
    ) as process:
        try:
            if meanwhile:
                begun = process.stdout.readline().strip()
                assert begun == "begun", f"{begun}, before there were bytes"
                meanwhile()
            told = process.communicate("go\n" if meanwhile else None, timeout=4 * PATIENCE)[0].strip()
        finally:
            process.kill()
    if told != "done":
        assert told.startswith("failed "), f"the client ended without a word: {told!r}"
        return told
    revision = pattern.revision_of(file.read_bytes(), item.number, SIZE)
    file.unlink()
    return revision


def expect(found, expected):
    assert found == expected, f"{found} instead of revision {expected}"


def quiet(client, way, item, sidecars, folder):
    """Nothing changes: the first download works, and the second one is from disk where anything is kept."""
    item.put(1)
    [sidecar] = sidecars
    before = sidecar.metric("pinstripe_requests_total", route=way.route)
    expect(download(client, way, item, folder), 1)
    assert sidecar.metric("pinstripe_requests_total", route=way.route) > before, f"{way.route} saw nothing of it"
    from_disk = sidecar.metric("pinstripe_sent_bytes_total", source="disk")
    expect(download(client, way, item, folder), 1)
    share = (sidecar.metric("pinstripe_sent_bytes_total", source="disk") - from_disk) / SIZE
    assert way.route == "passed" or share > 0.5, f"only {share:.0%} from disk the second time"
    return f"revision 1, and again, {share:.0%} from disk"


def overwritten(client, way, item, _, folder):
    """Another revision becomes current in mid-download."""
    item.put(1)
    overwrite = item.stage(2)
    first = download(client, way, item, folder, meanwhile=overwrite)
    assert isinstance(first, str) or first in (1, 2), first
    expect(download(client, way, item, folder), 2)
    said = f"revision {first}" if isinstance(first, int) else first.split(":")[0]
    return f"{said}; the next one revision 2"


def held(client, way, item, sidecars, folder):
    """As overwritten, but all of the former revision is on disk: a download that began with it can end with it."""
    item.put(1)
    [sidecar] = sidecars
    share = 0
    # A disk that was too slow for a block does not have it.
    for _ in range(5):
        before = sidecar.metric("pinstripe_sent_bytes_total", source="disk")
        expect(download(client, way, item, folder), 1)
        share = (sidecar.metric("pinstripe_sent_bytes_total", source="disk") - before) / SIZE
        if share >= 1:
            break
    assert share >= 1, f"the disk does not come to hold it: {share:.0%}"
    expect(download(client, way, item, folder, meanwhile=item.stage(2)), 1)
    expect(download(client, way, item, folder), 2)
    return "revision 1 to its end; the next one revision 2"


def diverged(client, way, item, sidecars, folder):
    """Two sidecars have two former revisions on disk; connections are spread over both."""
    for revision, sidecar in enumerate(sidecars, 1):
        item.put(revision)
        expect(download(client, Way("reverse", sidecar.url), item, folder), revision)
    item.put(3)
    mismatches = [sidecar.metric("pinstripe_pin_mismatches_total") for sidecar in sidecars]
    before = [sidecar.metric("pinstripe_requests_total") for sidecar in sidecars]
    expect(download(client, way, item, folder), 3)
    after = [sidecar.metric("pinstripe_requests_total") for sidecar in sidecars]
    served = [int(b - a) for a, b in zip(before, after)]
    assert all(served), f"only one sidecar was asked: {served}"
    assert mismatches == [sidecar.metric("pinstripe_pin_mismatches_total") for sidecar in sidecars], "412s"
    return f"revision 3 at the first try, no 412; {served[0]} and {served[1]} requests"


def main():
    wanted = sys.argv[1:]
    pattern.check_the_check()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pinstripe-clients-"))
        s3 = stack.enter_context(S3())
        sidecars = [stack.enter_context(Sidecar(s3, os.path.join(folder, name))) for name in "ab"]
        service = stack.enter_context(Service(sidecars))
        changes = {"nothing changes": quiet, "overwritten in between": overwritten, "overwritten while on disk": held}
        scenarios = [
            (f"{client} {name}, {what}", scenario, client, way, sidecars[:1])
            for name, way in ways(s3, sidecars[0]).items()
            for what, scenario in changes.items()
            for client in CLIENTS
            if scenario is not held or way.route != "passed"
        ]
        both = Way("reverse", service.url)
        scenarios += [(f"{client} through two sidecars that disagree", diverged, client, both, sidecars) for client in CLIENTS]
        scenarios = [each for each in scenarios if not wanted or any(part in each[0] for part in wanted)]
        failed = sum(not run(s3, folder, *scenario) for scenario in scenarios)
    print(f"clients: {len(scenarios) - failed} passed; {failed} failed")
    return 1 if failed or not scenarios else 0


def run(s3, folder, name, scenario, client, way, sidecars):
    item = Object(s3)
    started = time.monotonic()
    try:
        said, good = scenario(client, way, item, sidecars, folder), True
    except (AssertionError, subprocess.TimeoutExpired) as error:
        said, good = error, False
    finally:
        item.delete()
    print(f"{'ok    ' if good else 'FAILED'} {name}: {said} ({time.monotonic() - started:.1f} s)", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
