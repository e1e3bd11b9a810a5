"""Encryption, told truthfully: none is done here beyond the disk's own, and what would have to be is refused."""

import base64
import hashlib

from cases import bucket, case, filled, headers, name, read, refused, run, s3, same, signed, status

KEY = base64.b64encode(b"k" * 32).decode()
KEY_MD5 = base64.b64encode(hashlib.md5(b"k" * 32).digest()).decode()
CUSTOMER = {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": KEY,
    "x-amz-server-side-encryption-customer-key-MD5": KEY_MD5,
}


@case
def keys_of_customers_are_refused():
    there = filled("k")
    signed("PUT", f"/{there}/k", b"x", CUSTOMER).expect(501, "NotImplemented")
    # What AWS says of an object that was not encrypted with such a key.
    signed("GET", f"/{there}/k", b"", CUSTOMER).expect(400, "InvalidRequest")
    same(signed("HEAD", f"/{there}/k", b"", CUSTOMER).status, 400)
    signed("POST", f"/{there}/k?uploads", b"", CUSTOMER).expect(501, "NotImplemented")
    same(read(there, "k"), b"k")


@case
def keys_of_a_key_service_are_refused():
    there = filled("k")
    for more in ({"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms:dsse"},
                 {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/x"}):
        refused("NotImplemented", s3.put_object, Bucket=there, Key="k", Body=b"x", **more)
        refused("NotImplemented", s3.create_multipart_upload, Bucket=there, Key="k", **more)
        refused("NotImplemented", s3.copy_object, Bucket=there, Key="c", CopySource=f"{there}/k", **more)


@case
def a_copy_with_a_key_of_a_customer_is_refused():
    there = filled("k")
    source = {name.replace("x-amz-", "x-amz-copy-source-"): value for name, value in CUSTOMER.items()}
    signed("PUT", f"/{there}/c", b"", {"x-amz-copy-source": f"{there}/k", **source}).expect(501, "NotImplemented")


@case
def what_tools_ask_for_by_default_is_taken_and_not_claimed():
    there = bucket()
    answer = s3.put_object(Bucket=there, Key="k", Body=b"x", ServerSideEncryption="AES256")
    same((status(answer), answer.get("ServerSideEncryption")), (200, None))
    assert "ServerSideEncryption" not in s3.head_object(Bucket=there, Key="k")
    same(read(there, "k"), b"x")


@case
def a_way_of_encryption_that_there_is_not_is_refused():
    there = bucket()
    answer = signed("PUT", f"/{there}/k", b"x", {"x-amz-server-side-encryption": "ROT13"})
    same((answer.status, answer.code), (400, "InvalidArgument"))


@case
def no_answer_claims_encryption():
    there = filled("k")
    for answer in (s3.get_object(Bucket=there, Key="k"), s3.head_object(Bucket=there, Key="k"),
                   s3.put_object(Bucket=there, Key="k", Body=b"x")):
        assert not [name for name in headers(answer) if "server-side-encryption" in name], headers(answer)


@case
def a_bucket_has_no_encryption_to_tell_of():
    there = bucket()
    refused("ServerSideEncryptionConfigurationNotFoundError", s3.get_bucket_encryption, Bucket=there)
    rule = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    refused("NotImplemented", s3.put_bucket_encryption, Bucket=there, ServerSideEncryptionConfiguration=rule)


run()
