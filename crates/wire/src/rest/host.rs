//! Which bucket a host names.
//!
//! `photos.s3.eu-north-1.amazonaws.com`, `photos.s3.localhost`, `photos.localhost` and, below a name that the server is
//! reached by, `photos.cloud.example` are all the bucket `photos`. The signature is verified over host and path as they were
//! sent; what is found here is used for finding the operation alone.
//!
//! Every path of such a host is the bucket's, or its website's: the server's own pages and the routes beside the API, which
//! are found by their paths, are not there.

use base::Region;
use http::request::Parts;

use crate::sigv4;

/// What stands between a bucket and the rest of a host of S3.
const LABEL: &str = ".s3.";
const REGIONAL: &str = ".s3-";
const WEBSITE: &str = ".s3-website";
const AWS: &str = ".amazonaws.com";
const AWS_CHINA: &str = ".amazonaws.com.cn";
const LOCALHOST: &str = ".localhost";
/// What begins the name of the service itself, where a region stands behind it.
const SERVICE: &str = "s3.";
/// What may stand before that region.
const DUALSTACK: &str = "dualstack.";
/// What the hosts have within them that other services hand out: a registry's, and those of functions.
const OTHERS: [&str; 2] = [".dkr.ecr.", ".lambda-url."];

/// The bucket that a `Host` header names, in small letters; none if the path has to. `public_hosts` are the names by which
/// clients reach this server, without ports.
pub fn bucket(host: &str, public_hosts: &[String]) -> Option<String> {
    let name = without_port(host)?.to_ascii_lowercase();
    let is_public = public_hosts.iter().any(|public| public.eq_ignore_ascii_case(&name));
    if is_public || website_split(&name).is_some() {
        return None;
    }
    let bucket = match name.rfind(LABEL) {
        Some(at) => &name[..at],
        None => regional(&name).or_else(|| below_server(&name, public_hosts))?,
    };
    (!bucket.is_empty() && bucket != "s3" && !bucket.starts_with('.')).then(|| bucket.to_owned())
}

/// The bucket of which a host is the website: `<bucket>.s3-website-<region>.<rest>` or `<bucket>.s3-website.<rest>`.
pub fn website(host: &str) -> Option<String> {
    let name = without_port(host)?.to_ascii_lowercase();
    website_split(&name).filter(|bucket| !bucket.is_empty()).map(str::to_owned)
}

/// Whether a host is a bucket's alone, or its website's: then every path there is, and none the server's own or the
/// registry's.
pub fn is_buckets(parts: &Parts, public_hosts: &[String]) -> bool {
    let host = sigv4::host(parts).ok().flatten();
    host.is_some_and(|host| website(host).is_some() || bucket(host, public_hosts).is_some())
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

/// What stands before a name of this server, unless that is what a service goes by: `s3.localhost`,
/// `s3.eu-north-1.localhost`, `111111111111.dkr.ecr.eu-north-1.localhost`. Of several names it is the longest.
fn below_server<'n>(name: &'n str, public_hosts: &[String]) -> Option<&'n str> {
    let local = name.strip_suffix(LOCALHOST);
    let below =
        public_hosts.iter().filter_map(|public| below(name, public)).chain(local).min_by_key(|own| own.len())?;
    let is_others = OTHERS.iter().any(|label| name.contains(label));
    (!is_others && !is_regions(below)).then_some(below)
}

/// Whether a name is that of the service in a region: `s3.eu-north-1`, `s3.dualstack.eu-north-1`.
fn is_regions(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(SERVICE) else { return false };
    let region = rest.strip_prefix(DUALSTACK).unwrap_or(rest);
    let is_numbered = region.rsplit_once('-').is_some_and(|(_, number)| number.parse::<u8>().is_ok());
    is_numbered && region.parse::<Region>().is_ok()
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
            ("s3.pictures.localhost", "s3.pictures"),
            ("s3-photos.localhost", "s3-photos"),
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
            "s3.eu-north-1.localhost:4566",
            "s3.dualstack.eu-north-1.localhost",
            "s3.eu-north-1.cloud.example",
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
    fn every_path_of_a_buckets_host_is_its_own() {
        let of = |host: &str| {
            let request = http::Request::get("/v2/").header("host", host);
            is_buckets(&request.body(()).unwrap().into_parts().0, &public())
        };
        for host in [
            "photos.s3.localhost:4566",
            "PHOTOS.S3.eu-north-1.amazonaws.com",
            "photos.s3-website.localhost",
            "photos.localhost:4566",
            "photos.cloud.example",
        ] {
            assert!(of(host), "{host}");
        }
        for host in [
            "localhost:4566",
            "cloud.example",
            "s3.localhost",
            "s3.eu-north-1.localhost:4566",
            "127.0.0.1:4566",
            "000000000000.dkr.ecr.us-east-1.amazonaws.com",
            "000000000000.dkr.ecr.us-east-1.localhost:4566",
            "000000000000.dkr.ecr.us-east-1.cloud.example",
            "abcdefghijklmnop.lambda-url.us-east-1.cloud.example",
            ".s3.localhost",
        ] {
            assert!(!of(host), "{host}");
        }
    }

    #[test]
    fn a_name_of_the_server_is_no_bucket_below_another() {
        let public = ["b.example".to_owned(), "a.B.example".to_owned(), "localhost".to_owned()];
        for (host, named) in [
            ("a.b.example", None),
            ("b.example:4566", None),
            ("photos.a.b.example", Some("photos")),
            ("c.b.example", Some("c")),
            ("photos.localhost", Some("photos")),
            ("localhost", None),
        ] {
            assert_eq!(bucket(host, &public).as_deref(), named, "{host}");
        }
        assert_eq!(bucket("pilvi.localhost", &["pilvi.localhost".to_owned()]), None);
    }
}
