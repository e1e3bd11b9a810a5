"""A function's code for the runtimes that bring none: a shell that speaks the Runtime API and does what its event says."""

import io
import zipfile

BOOTSTRAP = r"""#!/bin/sh
echo "begun with $_HANDLER"
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
count=0
while true; do
    event=$(curl -sS -D /tmp/head "$api/invocation/next")
    while IFS=': ' read -r name value; do
        case $name in [Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d) id=$(echo "$value" | tr -d '\r') ;; esac
    done < /tmp/head
    count=$((count + 1))
    echo "got $event"
    case $event in
    *'"fail"'*)
        curl -sS -o /dev/null -H 'Lambda-Runtime-Function-Error-Type: Test.Failed' \
            -d '{"errorMessage":"as it was told","errorType":"Test.Failed","stackTrace":[]}' "$api/invocation/$id/error"
        continue ;;
    *'"hang"'*) sleep 100 ;;
    *'"exit"'*) exit 7 ;;
    *'"eat"'*) exec awk 'BEGIN { eaten = "x"; while (1) eaten = eaten eaten }' ;;
    *'"keep"'*) echo kept >> /tmp/kept; answer="{\"kept\":$(wc -l < /tmp/kept),\"count\":$count}" ;;
    *'"variables"'*) answer="\"$GREETING $AWS_LAMBDA_FUNCTION_NAME $AWS_LAMBDA_FUNCTION_VERSION $AWS_LAMBDA_FUNCTION_MEMORY_SIZE\"" ;;
    *'"layer"'*) answer="\"$(cat /opt/note)\"" ;;
    *'"stream"'*)
        { echo one; sleep 0.2; echo two; } | curl -sS -o /dev/null -X POST -H 'Transfer-Encoding: chunked' -H 'Expect:' \
            -H 'Lambda-Runtime-Function-Response-Mode: streaming' -H 'Content-Type: application/octet-stream' \
            -T - "$api/invocation/$id/response"
        continue ;;
    *) answer=$event ;;
    esac
    curl -sS -o /dev/null --data-binary "$answer" "$api/invocation/$id/response"
done
"""


def archive(files):
    """A zip of these texts, each with its permissions."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        for name, (mode, text) in files.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = mode << 16
            made.writestr(entry, text)
    return written.getvalue()


def code(note="one"):
    """The function; another note makes it another archive."""
    return archive({"bootstrap": (0o755, BOOTSTRAP), "note": (0o644, note)})
