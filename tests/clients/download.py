"""One download by one client, in a process and an environment of its own: `download.py CLIENT BUCKET KEY FILE [pause]`.

Endpoint, keys and proxy come from the environment, as they do for a build. With `pause` it says `begun` once the first
bytes are there, and takes no more until it is sent a line.
"""

import os
import sys
import threading

PART = 1 << 20


class Pause:
    """Holds every thread that reports progress, once, until a line comes in."""

    def __init__(self, wanted):
        self.lock = threading.Lock()
        self.wanted = wanted

    def __call__(self, *_, **__):
        with self.lock:
            if self.wanted:
                self.wanted = False
                print("begun", flush=True)
                sys.stdin.readline()


def boto3_download(bucket, key, file, pause):
    import boto3
    from boto3.s3.transfer import TransferConfig

    client = boto3.client("s3")
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=10)
    client.download_file(bucket, key, file, Callback=pause, Config=config)


def crt_download(bucket, key, file, pause):
    from awscrt.auth import AwsCredentialsProvider
    from awscrt.http import HttpHeaders, HttpRequest
    from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType, create_default_s3_signing_config

    region = os.environ["AWS_DEFAULT_REGION"]
    keys = AwsCredentialsProvider.new_static(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    client = S3Client(
        region=region,
        tls_mode=S3RequestTlsMode.DISABLED,
        signing_config=create_default_s3_signing_config(region=region, credential_provider=keys),
        part_size=PART,
        # Few, so that much is left to read when the object is overwritten.
        max_active_connections_override=4,
    )
    host = os.environ["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
    request = HttpRequest("GET", f"/{bucket}/{key}", HttpHeaders([("Host", host)]))
    with open(file, "wb") as out:

        def take(chunk, offset, **_):
            out.seek(offset)
            out.write(chunk)
            pause()

        # With recv_filepath instead, the client tells of its progress when there is none left to make.
        client.make_request(type=S3RequestType.GET_OBJECT, request=request, on_body=take).finished_future.result(120)


def main():
    name, bucket, key, file, *pause = sys.argv[1:]
    client = {"boto3": boto3_download, "crt": crt_download}[name]
    try:
        client(bucket, key, file, Pause(bool(pause)))
    except Exception as error:  # pylint: disable=broad-except
        # Whatever a client calls it: it did not say that the file is good.
        print(f"failed {type(error).__name__}: {' '.join(str(error).split())}", flush=True)
    else:
        print("done", flush=True)


main()
