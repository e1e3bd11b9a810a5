"""The Python runtime: loads a function's handler and hands events to it.

It speaks the Runtime API (2018-06-01) over one connection that it keeps, reads nothing but what that says, and prints what AWS's
own runtime prints. The handler is `module.function`, where the module may be `folder/module`.
"""

import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback

_API = "/2018-06-01/runtime/"
_READ_BYTES = 65536
# Lines of one message are told apart by this, so that they stay one log event.
_LINE_END = "\r"
# Spaces at a line's begin would be dropped.
_INDENT = "\u00a0"
_LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}


class _Closed(Exception):
    """The environment ends."""


class _Fault(Exception):
    """What is wrong with the function before any event."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace or []


class _Connection:
    """HTTP/1.1 to the Runtime API: one request after the other."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._place = (host, int(port))
        self._host = address.encode()
        self._socket = None
        self._rest = b""

    def send(self, method, path, body=b"", headers=b""):
        """Sends a request; answers status, headers by their lower-case names, and body."""
        head = b"%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n%s\r\n" % (
            method,
            path.encode(),
            self._host,
            len(body),
            headers,
        )
        if self._socket is None:
            self._socket = socket.create_connection(self._place)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(body) < _READ_BYTES:
            self._socket.sendall(head + body)
        else:
            self._socket.sendall(head)
            self._socket.sendall(body)
        return self._read()

    def _read(self):
        data = self._rest
        end = data.find(b"\r\n\r\n")
        while end < 0:
            data += self._more()
            end = data.find(b"\r\n\r\n")
        lines = data[:end].decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        body = data[end + 4 :]
        if len(body) < length:
            pieces, missing = [body], length - len(body)
            while missing > 0:
                piece = self._more()
                pieces.append(piece)
                missing -= len(piece)
            body = b"".join(pieces)
        self._rest = body[length:]
        return status, headers, body[:length]

    def _more(self):
        piece = self._socket.recv(_READ_BYTES)
        if not piece:
            raise _Closed()
        return piece


class CognitoIdentity:
    """Who uses the client."""

    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]


class Client:
    """The client's application."""

    __slots__ = ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"]


class ClientContext:
    """What the client said of itself."""

    __slots__ = ["custom", "env", "client"]


class LambdaContext:
    """What a handler is told beside the event."""

    def __init__(self, headers):
        environ = os.environ
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self.client_context = _client_context(headers.get("lambda-runtime-client-context"))
        self.identity = _identity(headers.get("lambda-runtime-cognito-identity"))
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self):
        """How long the handler may go on, in milliseconds."""
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        """Prints a message."""
        sys.stdout.write(str(message))

    def __repr__(self):
        said = ",".join(f"{name}={value}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"LambdaContext([{said}])"


def _identity(text):
    identity = CognitoIdentity()
    said = json.loads(text) if text else {}
    identity.cognito_identity_id = said.get("cognitoIdentityId")
    identity.cognito_identity_pool_id = said.get("cognitoIdentityPoolId")
    return identity


def _client_context(text):
    if not text:
        return None
    said = json.loads(text)
    context = ClientContext()
    context.custom = said.get("custom")
    context.env = said.get("env")
    context.client = None
    if said.get("client"):
        context.client = Client()
        for name in Client.__slots__:
            setattr(context.client, name, said["client"].get(name))
    return context


class _Text(logging.Formatter):
    converter = time.gmtime

    def __init__(self):
        super().__init__("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S")


class _Json(logging.Formatter):
    converter = time.gmtime
    _OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "tenant_id"}

    def format(self, record):
        at = time.strftime("%Y-%m-%dT%H:%M:%S", self.converter(record.created))
        said = {
            "timestamp": f"{at}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": record.aws_request_id,
        }
        if record.exc_info:
            said["errorType"] = record.exc_info[0].__name__ if record.exc_info[0] else None
            said["errorMessage"] = str(record.exc_info[1])
            said["stackTrace"] = traceback.format_list(traceback.extract_tb(record.exc_info[2]))
            said["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        if record.stack_info:
            said["stackTrace"] = self.formatStack(record.stack_info)
        said.update((name, value) for name, value in vars(record).items() if name not in self._OWN)
        return json.dumps({name: value for name, value in said.items() if value is not None}, default=str) + "\n"


class _Handler(logging.Handler):
    """Log records to standard output, as one event each."""

    request_id = ""

    def emit(self, record):
        record.aws_request_id = _Handler.request_id
        text = self.format(record)
        sys.stdout.write(text[:-1].replace("\n", _LINE_END) + "\n")
        sys.stdout.flush()


def _is_json():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def _set_up_logging():
    handler = _Handler()
    handler.setFormatter(_Json() if _is_json() else _Text())
    root = logging.getLogger()
    root.addHandler(handler)
    level = _LEVELS.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper())
    if level is not None and _is_json():
        root.setLevel(level)


def _load(name):
    """The handler of this name."""
    module_name, dot, function = name.rpartition(".")
    if not dot:
        raise _Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise _Fault("Runtime.ImportModuleError", f"Cannot use built-in module {module_name} as a handler module")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise _Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise _Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace) from error
    try:
        return getattr(module, function)
    except AttributeError:
        raise _Fault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'") from None


def _described(kind, message, trace, request_id=None):
    said = {"errorMessage": message, "errorType": kind}
    if request_id is not None:
        said["requestId"] = request_id
    said["stackTrace"] = trace
    return said


def _print_error(said):
    """Tells the log of an error."""
    if _is_json():
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        told = {"timestamp": at, "log_level": "ERROR", **said}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        lines = [f"[ERROR] {said['errorType']}: {said['errorMessage']}"]
        if said["stackTrace"]:
            lines.append("Traceback (most recent call last):")
        for entry in said["stackTrace"]:
            for line in entry.rstrip("\n").split("\n"):
                stripped = line.lstrip(" ")
                lines.append(_INDENT * (len(line) - len(stripped)) + stripped)
        sys.stdout.write(_LINE_END.join(lines) + "\n")
    sys.stdout.flush()


def _trace_of(error, first):
    """The stack of an error, from the function's own code on."""
    return traceback.format_list(traceback.extract_tb(error.__traceback__)[first:])


def _unwritable(value):
    import decimal

    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _error_headers(kind):
    printable = "".join(letter for letter in kind if letter.isascii() and letter.isprintable())
    return b"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: %s\r\n" % printable.encode()


def _handled(handler, headers, body):
    """What a handler makes of an event: its answer, or what is to be said of its failure."""
    request_id = headers["lambda-runtime-aws-request-id"]
    try:
        event = json.loads(body)
    except ValueError as error:
        message = f"Unable to unmarshal input: {error}"
        return None, _described("Runtime.UnmarshalError", message, [], request_id)
    try:
        context = LambdaContext(headers)
        answer = handler(event, context)
    except BaseException as error:  # pylint: disable=broad-except
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise
        return None, _described(type(error).__name__, str(error), _trace_of(error, 1), request_id)
    try:
        return json.dumps(answer, default=_unwritable).encode(), None
    except (TypeError, ValueError, RecursionError) as error:
        message = f"Unable to marshal response: {error}"
        return None, _described("Runtime.MarshalError", message, [], request_id)


def _serve(connection, handler):
    trace_header, trace_variable = "lambda-runtime-trace-id", "_X_AMZN_TRACE_ID"
    next_path = _API + "invocation/next"
    while True:
        status, headers, body = connection.send(b"GET", next_path)
        if status != 200:
            raise _Closed()
        request_id = headers["lambda-runtime-aws-request-id"]
        _Handler.request_id = request_id
        if trace_header in headers:
            os.environ[trace_variable] = headers[trace_header]
        else:
            os.environ.pop(trace_variable, None)
        answer, failed = _handled(handler, headers, body)
        sys.stdout.flush()
        sys.stderr.flush()
        path = f"{_API}invocation/{request_id}/"
        if failed is None:
            connection.send(b"POST", path + "response", answer, b"Content-Type: application/json\r\n")
        else:
            _print_error(failed)
            said = json.dumps(failed, ensure_ascii=False).encode("utf-8", "replace")
            connection.send(b"POST", path + "error", said, _error_headers(failed["errorType"]))


def main():
    """Serves events until the environment ends."""
    # What is printed before an exit that nobody expects must not be lost.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    connection = _Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    sys.path[0:0] = [root, "/opt/python", f"/opt/python/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"]
    _set_up_logging()
    try:
        handler = _load(os.environ.get("_HANDLER", ""))
    except _Fault as fault:
        failed = _described(fault.kind, fault.message, fault.trace, "")
    except Exception as error:  # pylint: disable=broad-except
        # Not the lines of this file and of the import.
        own = (__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in own]
        frames = [frame for frame in frames if not frame.filename.endswith("/importlib/__init__.py")]
        failed = _described(type(error).__name__, str(error), traceback.format_list(frames), "")
    else:
        try:
            _serve(connection, handler)
        except _Closed:
            return 0
    _print_error(failed)
    said = json.dumps(failed, ensure_ascii=False).encode("utf-8", "replace")
    connection.send(b"POST", _API + "init/error", said, _error_headers(failed["errorType"]))
    return 1


if __name__ == "__main__":
    # The function's `import __main__` and its own `bootstrap` module are not this one.
    sys.exit(main())
