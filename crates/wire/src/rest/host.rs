//! Which bucket a host names.
//!
//! `photos.s3.eu-north-1.amazonaws.com`, `photos.s3.localhost`, `photos.localhost` and, below a name that the server is
//! reached by, `photos.cloud.example` are all the bucket `photos`. The signature is verified over host and path as they were
//! sent; what is found here is used for finding the operation alone.

use http::request::Parts;

use crate::sigv4;

/// What stands between a bucket and the rest of a host of S3.
const LABEL: &str = ".s3.";
const REGIONAL: &str = ".s3-";
const WEBSITE: &str = ".s3-website";
const AWS: &str = ".amazonaws.com";
const AWS_CHINA: &str = ".amazonaws.com.cn";
const LOCALHOST: &str = ".localhost";

/// The bucket that a `Host` header names, in small letters; none if the path has to. `public_hosts` are the names by which
/// clients reach this server, without ports.
pub fn bucket(host: &str, public_hosts: &[String]) -> Option<String> {
    let name = without_port(host)?.to_ascii_lowercase();
    if website_split(&name).is_some() {
        return None;
    }
    let bucket = match name.rfind(LABEL) {
        Some(at) => &name[..at],
        None => regional(&name)
            .or_else(|| name.strip_suffix(LOCALHOST))
            .or_else(|| public_hosts.iter().find_map(|public| below(&name, public)))?,
    };
    // A service's own name is no bucket: `s3.localhost`.
    (!bucket.is_empty() && bucket != "s3" && !bucket.starts_with('.')).then(|| bucket.to_owned())
}

/// The bucket of which a host is the website: `<bucket>.s3-website-<region>.<rest>` or `<bucket>.s3-website.<rest>`.
pub fn website(host: &str) -> Option<String> {
    let name = without_port(host)?.to_ascii_lowercase();
    website_split(&name).filter(|bucket| !bucket.is_empty()).map(str::to_owned)
}

/// Whether a host is a bucket's alone, by a name that says so: then every path there is the bucket's, and none the server's
/// own or the registry's. (`photos.localhost` may be any name of this server.)
pub fn is_buckets(parts: &Parts) -> bool {
    let host = sigv4::host(parts).ok().flatten().and_then(without_port);
    host.map(str::to_ascii_lowercase).is_some_and(|name| {
        let by_label = name.rfind(LABEL).map(|at| &name[..at]);
        let bucket = website_split(&name).or(by_label).or_else(|| regional(&name));
        bucket.is_some_and(|bucket| !bucket.is_empty())
    })
}

fn website_split(name: &str) -> Option<&str> {
    let at = name.rfind(WEBSITE)?;
    let rest = &name[at + WEBSITE.len()..];
    rest.starts_with(['.', '-']).then_some(&name[..at])
}

/// `<bucket>.s3-<region>.amazonaws.com`.
fn regional(name: &str) -> Option<&str> {
    let rest = name.strip_suffix(AWS).or_else(|| name.strip_suffix(AWS_CHINA))?;
    let at = rest.rfind(REGIONAL)?;
    Some(&rest[..at])
}

fn below<'n>(name: &'n str, public: &str) -> Option<&'n str> {
    let public = public.to_ascii_lowercase();
    name.strip_suffix(&public)?.strip_suffix('.')
}

/// The name in a `Host` header; none if it is an address.
fn without_port(host: &str) -> Option<&str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_address = name.starts_with('[') || name.contains(':') || name.parse::<std::net::IpAddr>().is_ok();
    (!is_address && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> Vec<String> {
        vec!["cloud.example".to_owned()]
    }

    #[test]
    fn a_host_may_name_a_bucket_in_many_ways() {
        for host in [
            "photos.s3.amazonaws.com",
            "photos.s3.amazonaws.com:443",
            "Photos.S3.eu-north-1.amazonaws.com",
            "photos.s3.dualstack.eu-north-1.amazonaws.com",
            "photos.s3-eu-north-1.amazonaws.com",
            "photos.s3-accelerate.amazonaws.com",
            "photos.s3.cn-north-1.amazonaws.com.cn",
            "photos.s3.localhost:4566",
            "photos.localhost:4566",
            "photos.localhost.",
            "photos.cloud.example:4566",
            "photos.s3.cloud.example",
        ] {
            assert_eq!(bucket(host, &public()).as_deref(), Some("photos"), "{host}");
        }
        for (host, named) in [
            ("my.dotted.bucket.s3.amazonaws.com", "my.dotted.bucket"),
            ("a.s3.b.s3.amazonaws.com", "a.s3.b"),
            ("a.s3-b.s3-eu-north-1.amazonaws.com", "a.s3-b"),
            ("10.0.0.localhost", "10.0.0"),
        ] {
            assert_eq!(bucket(host, &public()).as_deref(), Some(named), "{host}");
        }
    }

    #[test]
    fn a_host_may_name_none() {
        for host in [
            "s3.amazonaws.com",
            "s3.eu-north-1.amazonaws.com",
            "s3-eu-north-1.amazonaws.com",
            "s3.localhost:4566",
            "localhost:4566",
            "127.0.0.1:4566",
            "127.0.0.1",
            "[::1]:4566",
            "::1",
            "cloud.example",
            "notcloud.example",
            "other.example",
            ".s3.amazonaws.com",
            "..localhost",
            "",
            "photos.s3-website-eu-north-1.amazonaws.com",
            "photos.s3-website.localhost",
        ] {
            assert_eq!(bucket(host, &public()), None, "{host}");
        }
    }

    #[test]
    fn a_website_has_hosts_of_its_own() {
        for host in [
            "photos.s3-website-eu-north-1.amazonaws.com",
            "photos.s3-website.eu-north-1.amazonaws.com",
            "photos.s3-website.localhost:4566",
        ] {
            assert_eq!(website(host).as_deref(), Some("photos"), "{host}");
        }
        for host in
            ["photos.s3.amazonaws.com", "s3-website.localhost", ".s3-website.localhost", "photos.s3-websites.localhost"]
        {
            assert_eq!(website(host), None, "{host}");
        }
    }

    #[test]
    fn a_host_that_says_so_is_a_bucket_s_alone() {
        let of =
            |host: &str| is_buckets(&http::Request::get("/v2/").header("host", host).body(()).unwrap().into_parts().0);
        for host in ["photos.s3.localhost:4566", "PHOTOS.S3.eu-north-1.amazonaws.com", "photos.s3-website.localhost"] {
            assert!(of(host), "{host}");
        }
        for host in [
            "s3.localhost",
            "photos.localhost",
            "127.0.0.1:4566",
            "000000000000.dkr.ecr.us-east-1.amazonaws.com",
            ".s3.localhost",
        ] {
            assert!(!of(host), "{host}");
        }
    }
}
