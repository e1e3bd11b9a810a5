//! S3 over HTTP/2.
