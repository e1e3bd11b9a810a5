"""What every script has: clients that wait for nothing, expected refusals, and the list of what has been called."""

import json
from contextlib import contextmanager

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

SUCCEEDED = set()


def client(service, *, settings=None, **options):
    """A client whose successful calls are noted, which tries once and leaves the judgement of inputs to the server."""
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False, **(settings or {}))
    made = boto3.client(service, config=config, **options)

    def note(http_response, model, **_):
        if 200 <= http_response.status_code < 300:
            SUCCEEDED.add(f"{service}:{model.name}")

    made.meta.events.register("after-call", note)
    return made


@contextmanager
def refused(exception, *fragments):
    """The block must raise this exception, with each of these texts in its message."""
    try:
        yield
    except exception as error:
        said = str(error)
        for fragment in fragments:
            assert fragment in said, f"{fragment!r} is not in {said!r}"
        assert error.response["ResponseMetadata"]["RequestId"], "an error has a request id"
        return
    except ClientError as error:
        raise AssertionError(f"{exception.__name__} was expected, and it is {error!r}") from error
    raise AssertionError(f"{exception.__name__} was expected, and the call succeeded")


@contextmanager
def coded(code, *fragments):
    """The block must raise an error of this code, which no exception of the client is made for."""
    with refused(ClientError, f"({code})", *fragments):
        yield


def same(found, expected):
    assert found == expected, f"{found!r} was found, {expected!r} was expected"


def finish():
    """Tells what was called with success."""
    print(json.dumps({"succeeded": sorted(SUCCEEDED)}))
