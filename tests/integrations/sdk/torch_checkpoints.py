"""Runs where `bkt.localhost` is a name of this machine: writes and reads a checkpoint for each line of its input.

    python torch_checkpoints.py METADATA-ENDPOINT OSS-ENDPOINT CONFIG

prints `current` and the AccessKey ID, a line for each; the connector prints lines of its log too. The fake cloud is in
another process: while the connector waits for an answer, no other thread of Python runs.
"""

from __future__ import annotations

import sys

from osstorchconnector import OssCheckpoint  # type: ignore[import-not-found,unused-ignore]

from ramrole_creds import EcsRamRoleProvider

BODY = b"weights"


def main() -> None:
    metadata, endpoint, config = sys.argv[1:]
    with EcsRamRoleProvider(endpoint=metadata) as provider:
        checkpoint = OssCheckpoint(endpoint, cred_provider=provider, config_path=config, region="cn-hangzhou")
        for _ in sys.stdin:
            current = provider.refresh().access_key_id
            with checkpoint.writer("oss://bkt/checkpoint") as writer:
                writer.write(BODY)
            with checkpoint.reader("oss://bkt/checkpoint") as reader:
                assert reader.read() == BODY
            print("current", current, flush=True)  # noqa: T201  # what the test reads


if __name__ == "__main__":
    main()
