"""Every operation of ECR that is served."""

import base64
import hashlib
import json
import sys
import time
import urllib.request

from steps import client, coded, finish, refused, same

account = sys.argv[1]
region = "us-east-1"
ecr = client("ecr")
arn = f"arn:aws:ecr:{region}:{account}:repository"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
POLICY = {"Version": "2012-10-17", "Statement": [{
    "Sid": "Pull", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
    "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
}]}


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def upload(name, content, part=8 << 20):
    """Uploads a layer in parts, as clients of the API do."""
    begun = ecr.initiate_layer_upload(repositoryName=name)
    assert begun["partSize"] >= 5 << 20, begun
    for first in range(0, len(content), part):
        piece = content[first:first + part]
        received = ecr.upload_layer_part(
            repositoryName=name, uploadId=begun["uploadId"], partFirstByte=first, partLastByte=first + len(piece) - 1,
            layerPartBlob=piece,
        )
        same(received["lastByteReceived"], first + len(piece) - 1)
    done = ecr.complete_layer_upload(repositoryName=name, uploadId=begun["uploadId"], layerDigests=[digest(content)])
    same(done["layerDigest"], digest(content))
    return {"mediaType": LAYER, "digest": digest(content), "size": len(content)}


def image(name, text, tag=None, **more):
    """Puts an image of one layer; its manifest's text and digest."""
    config = {**upload(name, json.dumps({"architecture": "amd64", "os": "linux", "text": text}).encode()), "mediaType": CONFIG}
    layer = upload(name, f"layer of {text}".encode())
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], **more})
    put = ecr.put_image(repositoryName=name, imageManifest=manifest, **({"imageTag": tag} if tag else {}))["image"]
    same(put["imageId"]["imageDigest"], digest(manifest.encode()))
    return manifest, put["imageId"]["imageDigest"]


def repositories():
    made = ecr.create_repository(
        repositoryName="team/web",
        tags=[{"Key": "team", "Value": "web"}],
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "AES256"},
    )["repository"]
    same((made["repositoryName"], made["repositoryArn"]), ("team/web", f"{arn}/team/web"))
    same((made["registryId"], made["imageTagMutability"]), (account, "MUTABLE"))
    assert made["repositoryUri"].endswith("/team/web"), made
    assert made["createdAt"].year >= 2025, made
    with refused(ecr.exceptions.RepositoryAlreadyExistsException, "team/web", account):
        ecr.create_repository(repositoryName="team/web")
    with refused(ecr.exceptions.InvalidParameterException):
        ecr.create_repository(repositoryName="Not A Name")
    for name in ["team/api", "zoo"]:
        ecr.create_repository(repositoryName=name)
    pages = list(ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2}))
    same(sorted(one["repositoryName"] for page in pages for one in page["repositories"]), ["team/api", "team/web", "zoo"])
    assert len(pages) == 2, pages
    found = ecr.describe_repositories(repositoryNames=["team/web"])["repositories"][0]
    same(found["imageScanningConfiguration"], {"scanOnPush": True})
    with refused(ecr.exceptions.RepositoryNotFoundException, "nowhere"):
        ecr.describe_repositories(repositoryNames=["nowhere"])
    changed = ecr.put_image_scanning_configuration(
        repositoryName="team/web", imageScanningConfiguration={"scanOnPush": False}
    )
    same(changed["imageScanningConfiguration"], {"scanOnPush": False})
    ecr.tag_resource(resourceArn=f"{arn}/team/web", tags=[{"Key": "stage", "Value": "test"}])
    ecr.untag_resource(resourceArn=f"{arn}/team/web", tagKeys=["team"])
    same(ecr.list_tags_for_resource(resourceArn=f"{arn}/team/web")["tags"], [{"Key": "stage", "Value": "test"}])


def tokens():
    given = ecr.get_authorization_token()["authorizationData"][0]
    name, password = base64.b64decode(given["authorizationToken"]).decode().split(":", 1)
    same(name, "AWS")
    assert password and given["proxyEndpoint"].startswith("http"), given
    hours = (given["expiresAt"].timestamp() - time.time()) / 3600
    assert 11.9 < hours < 12.1, hours
    same(ecr.describe_registry()["registryId"], account)


def layers():
    content = bytes(range(256)) * (40 << 10)
    there = digest(content)
    before = ecr.batch_check_layer_availability(repositoryName="team/web", layerDigests=[there])
    same([layer["layerAvailability"] for layer in before["layers"]], ["UNAVAILABLE"])
    upload("team/web", content)
    after = ecr.batch_check_layer_availability(repositoryName="team/web", layerDigests=[there, "sha256:" + "0" * 64])
    same([layer["layerAvailability"] for layer in after["layers"]], ["AVAILABLE", "UNAVAILABLE"])
    with refused(ecr.exceptions.LayerInaccessibleException, "not associated with an image"):
        ecr.get_download_url_for_layer(repositoryName="team/web", layerDigest=there)
    with refused(ecr.exceptions.LayersNotFoundException):
        ecr.get_download_url_for_layer(repositoryName="team/web", layerDigest="sha256:" + "0" * 64)

    begun = ecr.initiate_layer_upload(repositoryName="team/web")["uploadId"]
    with refused(ecr.exceptions.InvalidLayerPartException):
        ecr.upload_layer_part(
            repositoryName="team/web", uploadId=begun, partFirstByte=10, partLastByte=19, layerPartBlob=b"0123456789"
        )
    with refused(ecr.exceptions.EmptyUploadException):
        ecr.complete_layer_upload(repositoryName="team/web", uploadId=begun, layerDigests=[there])
    ecr.upload_layer_part(
        repositoryName="team/web", uploadId=begun, partFirstByte=0, partLastByte=9, layerPartBlob=b"0123456789"
    )
    with refused(ecr.exceptions.InvalidLayerException):
        ecr.complete_layer_upload(repositoryName="team/web", uploadId=begun, layerDigests=["sha256:" + "1" * 64])
    again = ecr.initiate_layer_upload(repositoryName="team/web")["uploadId"]
    ecr.upload_layer_part(
        repositoryName="team/web", uploadId=again, partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content
    )
    with refused(ecr.exceptions.LayerAlreadyExistsException):
        ecr.complete_layer_upload(repositoryName="team/web", uploadId=again, layerDigests=[there])
    with refused(ecr.exceptions.UploadNotFoundException):
        ecr.complete_layer_upload(
            repositoryName="team/web", uploadId="00000000-0000-4000-8000-000000000000", layerDigests=[there]
        )


def images():
    manifest, first = image("team/web", "first", "1")
    layer = json.loads(manifest)["layers"][0]["digest"]
    url = ecr.get_download_url_for_layer(repositoryName="team/web", layerDigest=layer)["downloadUrl"]
    with urllib.request.urlopen(url, timeout=60) as answer:
        same(digest(answer.read()), layer)
    image_of = lambda **more: ecr.put_image(repositoryName="team/web", imageManifest=manifest, **more)["image"]
    with refused(ecr.exceptions.ImageAlreadyExistsException):
        image_of(imageTag="1")
    same(image_of(imageTag="stable")["imageId"], {"imageDigest": first, "imageTag": "stable"})
    with refused(ecr.exceptions.ImageDigestDoesNotMatchException):
        image_of(imageTag="wrong", imageDigest="sha256:" + "0" * 64)
    gone = json.loads(manifest)
    gone["layers"][0]["digest"] = "sha256:" + "0" * 64
    with refused(ecr.exceptions.LayersNotFoundException):
        ecr.put_image(repositoryName="team/web", imageManifest=json.dumps(gone), imageTag="gone")

    _, second = image("team/web", "second")
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": MANIFEST, "digest": second, "size": len(ecr.batch_get_image(
            repositoryName="team/web", imageIds=[{"imageDigest": second}])["images"][0]["imageManifest"]),
         "platform": {"architecture": "amd64", "os": "linux"}},
    ]})
    whole = ecr.put_image(repositoryName="team/web", imageManifest=index, imageTag="multi")["image"]["imageId"]["imageDigest"]
    with refused(ecr.exceptions.ReferencedImagesNotFoundException):
        missing = json.loads(index)
        missing["manifests"][0]["digest"] = "sha256:" + "0" * 64
        ecr.put_image(repositoryName="team/web", imageManifest=json.dumps(missing), imageTag="no")

    got = ecr.batch_get_image(
        repositoryName="team/web", imageIds=[{"imageTag": "1"}, {"imageTag": "nowhere"}], acceptedMediaTypes=[MANIFEST]
    )
    same(got["images"][0]["imageManifest"], manifest)
    same([(failure["failureCode"], failure["imageId"]) for failure in got["failures"]],
         [("ImageNotFound", {"imageTag": "nowhere"})])
    pages = list(ecr.get_paginator("list_images").paginate(repositoryName="team/web", PaginationConfig={"PageSize": 2}))
    tags = sorted(one.get("imageTag", "") for page in pages for one in page["imageIds"])
    same(tags, ["", "1", "multi", "stable"])
    details = {
        one["imageDigest"]: one
        for page in ecr.get_paginator("describe_images").paginate(repositoryName="team/web")
        for one in page["imageDetails"]
    }
    same(sorted(details[first]["imageTags"]), ["1", "stable"])
    same((details[first]["imageManifestMediaType"], details[whole]["imageManifestMediaType"]), (MANIFEST, INDEX))
    assert details[first]["imagePushedAt"].year >= 2025, details[first]

    about, signature = image("team/web", "signature", subject={"mediaType": MANIFEST, "digest": first, "size": len(manifest)},
                             artifactType="application/vnd.example.signature")
    assert json.loads(about)["subject"], about
    referrers = ecr.list_image_referrers(repositoryName="team/web", subjectId={"imageDigest": first})["referrers"]
    same([(one["digest"], one["artifactType"]) for one in referrers], [(signature, "application/vnd.example.signature")])

    archived = ecr.update_image_storage_class(
        repositoryName="team/web", imageId={"imageDigest": signature}, targetStorageClass="ARCHIVE"
    )
    same(archived["imageStatus"], "ARCHIVED")
    # One that is archived cannot be pulled until it is brought back.
    left = ecr.batch_get_image(repositoryName="team/web", imageIds=[{"imageDigest": signature}])
    same(left["images"], [])
    assert left["failures"], left
    ecr.update_image_storage_class(
        repositoryName="team/web", imageId={"imageDigest": signature}, targetStorageClass="STANDARD"
    )

    deleted = ecr.batch_delete_image(
        repositoryName="team/web", imageIds=[{"imageTag": "stable"}, {"imageDigest": second}, {"imageTag": "never"}]
    )
    same(deleted["imageIds"], [{"imageDigest": first, "imageTag": "stable"}])
    same(sorted(failure["failureCode"] for failure in deleted["failures"]),
         ["ImageNotFound", "ImageReferencedByManifestList"])


def mutability():
    filters = [{"filterType": "WILDCARD", "filter": "latest*"}]
    put = ecr.put_image_tag_mutability(
        repositoryName="team/api", imageTagMutability="IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=filters
    )
    same((put["imageTagMutability"], put["imageTagMutabilityExclusionFilters"]), ("IMMUTABLE_WITH_EXCLUSION", filters))
    image("team/api", "first", "1")
    image("team/api", "first again", "latest")
    other, _ = image("team/api", "second", "2")
    with refused(ecr.exceptions.ImageTagAlreadyExistsException, "'1'", "immutable"):
        ecr.put_image(repositoryName="team/api", imageManifest=other, imageTag="1")
    ecr.put_image(repositoryName="team/api", imageManifest=other, imageTag="latest")


def lifecycle():
    rule = {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100},
            "action": {"type": "expire"}, "description": "a hundred are enough for everybody who will ever look"}
    text = json.dumps({"rules": [rule]})
    with refused(ecr.exceptions.LifecyclePolicyNotFoundException):
        ecr.get_lifecycle_policy(repositoryName="team/api")
    with refused(ecr.exceptions.InvalidParameterException):
        ecr.put_lifecycle_policy(repositoryName="team/api", lifecyclePolicyText=json.dumps({"rules": [{**rule, "rulePriority": 0}]}))
    same(ecr.put_lifecycle_policy(repositoryName="team/api", lifecyclePolicyText=text)["lifecyclePolicyText"], text)
    same(ecr.get_lifecycle_policy(repositoryName="team/api")["lifecyclePolicyText"], text)
    one = json.dumps({"rules": [{**rule, "selection": {**rule["selection"], "countNumber": 1}}]})
    same(ecr.start_lifecycle_policy_preview(repositoryName="team/api", lifecyclePolicyText=one)["status"], "IN_PROGRESS")
    deadline = time.monotonic() + 60
    while (preview := ecr.get_lifecycle_policy_preview(repositoryName="team/api"))["status"] == "IN_PROGRESS":
        assert time.monotonic() < deadline, "the preview does not end"
        time.sleep(0.05)
    same(preview["status"], "COMPLETE")
    same(preview["summary"]["expiringImageTotalCount"], 2)
    same(ecr.delete_lifecycle_policy(repositoryName="team/api")["lifecyclePolicyText"], text)


def policies():
    text = json.dumps(POLICY)
    with refused(ecr.exceptions.RepositoryPolicyNotFoundException):
        ecr.get_repository_policy(repositoryName="zoo")
    ecr.set_repository_policy(repositoryName="zoo", policyText=text)
    same(json.loads(ecr.get_repository_policy(repositoryName="zoo")["policyText"]), POLICY)
    ecr.delete_repository_policy(repositoryName="zoo")
    with refused(ecr.exceptions.InvalidParameterException):
        ecr.set_repository_policy(repositoryName="zoo", policyText="{}")
    with refused(ecr.exceptions.RegistryPolicyNotFoundException):
        ecr.get_registry_policy()
    registry = {"Version": "2012-10-17", "Statement": [{
        "Sid": "Copies", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": ["ecr:ReplicateImage"], "Resource": [f"{arn}/*"],
    }]}
    ecr.put_registry_policy(policyText=json.dumps(registry))
    same(json.loads(ecr.get_registry_policy()["policyText"]), registry)
    ecr.delete_registry_policy()
    put = ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    same((put["name"], put["value"]), ("BLOB_MOUNTING", "ENABLED"))
    same(ecr.get_account_setting(name="BLOB_MOUNTING")["value"], "ENABLED")


def endings():
    with refused(ecr.exceptions.RepositoryNotEmptyException, "team/web"):
        ecr.delete_repository(repositoryName="team/web")
    for name in ["team/web", "team/api", "zoo"]:
        same(ecr.delete_repository(repositoryName=name, force=True)["repository"]["repositoryName"], name)
    same(ecr.describe_repositories()["repositories"], [])
    with coded("NotImplemented", "ecr:StartImageScan"):
        ecr.start_image_scan(repositoryName="zoo", imageId={"imageTag": "1"})


repositories()
tokens()
layers()
images()
mutability()
lifecycle()
policies()
endings()
finish()
