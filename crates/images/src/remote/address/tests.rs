use super::*;

fn origin(url: &str) -> Origin {
    Address::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")).origin
}

fn rules(plain: &[&str], inward: &[&str]) -> Rules {
    let set = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
    Rules { plain: set(plain), inward: set(inward) }
}

#[test]
fn an_address_is_read_and_written_with_its_port_where_it_is_unusual() {
    for (url, authority, with_port, target) in [
        ("https://Registry.Example/v2/", "registry.example", "registry.example:443", "/v2/"),
        ("https://registry.example:443", "registry.example", "registry.example:443", "/"),
        ("http://registry.example:5000/a?b=c", "registry.example:5000", "registry.example:5000", "/a?b=c"),
        ("https://registry.example?a=b", "registry.example", "registry.example:443", "/?a=b"),
        ("http://[::1]:80/x#fragment", "[::1]", "[::1]:80", "/x"),
    ] {
        let address = Address::parse(url).unwrap();
        assert_eq!(address.origin.authority(), authority, "{url}");
        assert_eq!(address.origin.authority_with_port(), with_port, "{url}");
        assert_eq!(address.target, target, "{url}");
    }
}

#[test]
fn what_is_no_address_of_a_registry_is_refused_and_no_secret_of_it_is_repeated() {
    for url in [
        "",
        "/v2/",
        "registry.example",
        "ftp://registry.example/",
        "file:///etc/passwd",
        "https://",
        "https://name:secret@registry.example/",
        "https://registry.example:99999/",
        "https://registry.example:/",
        "https://[::1/",
        "https://a b/",
        "https://registry.example/\u{e4}\r\n?signature=secret",
    ] {
        let error = Address::parse(url).unwrap_err().to_string();
        assert!(!error.contains("secret") && !error.contains('\n'), "{error}");
    }
    assert!(Address::parse(&format!("https://registry.example/{}", "a".repeat(URL_LENGTH_MAX))).is_err());
}

#[test]
fn a_location_leads_on_from_where_it_was_found() {
    let here = Address::parse("https://registry.example:5000/v2/app/blobs/x?a=b").unwrap();
    for (location, there) in [
        ("https://storage.example/x?y=z", "https://storage.example/x?y=z"),
        ("//storage.example/x", "https://storage.example/x"),
        ("/other?c=d", "https://registry.example:5000/other?c=d"),
        ("y", "https://registry.example:5000/v2/app/blobs/y"),
        ("?c=d", "https://registry.example:5000/v2/app/blobs/x?c=d"),
    ] {
        assert_eq!(here.join(location).unwrap(), Address::parse(there).unwrap(), "{location}");
    }
    assert!(here.join("javascript:alert(1)").is_err());
    assert!(here.join("http://").is_err());
}

#[test]
fn no_answer_leads_from_tls_to_none_nor_inward_from_elsewhere() {
    let rules = rules(&["plain.example:5000"], &["127.0.0.1:9000"]);
    let may = |from, to| rules.may_lead(&origin(from), &origin(to));
    assert!(may("https://registry.example", "https://storage.example"));
    assert!(!may("https://registry.example", "http://storage.example"));
    assert!(!may("https://registry.example", "http://plain.example:5000"), "from TLS to none");
    assert!(may("http://plain.example:5000", "https://storage.example"));
    assert!(may("http://plain.example:5000", "http://plain.example:5000"));
    assert!(!may("http://plain.example:5000", "http://plain.example:5001"));
    assert!(!may("https://registry.example", "https://localhost"));
    assert!(!may("https://registry.example", "https://127.1.2.3"));
    assert!(!may("http://plain.example:5000", "http://[::1]:5000"));
    assert!(may("https://registry.example", "https://127.0.0.1:9000"), "configured");
    assert!(may("http://127.0.0.1:5000", "http://localhost:9000"), "from this machine to itself");
}

#[test]
fn a_name_that_leads_inward_must_say_so_or_be_configured() {
    let rules = rules(&[], &["tunnel.example:5000", "metadata.example"]);
    let may = |url, ip: &str| rules.may_reach(&origin(url), ip.parse().unwrap());
    for own in [
        "127.0.0.1",
        "127.1.2.3",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "fd00:ec2::254",
        "224.0.0.1",
    ] {
        assert!(!may("https://registry.example", own), "{own}");
    }
    for other in ["10.1.2.3", "192.168.1.1", "198.51.100.7", "2001:db8::1", "fd00:1::1"] {
        assert!(may("https://registry.example", other), "{other}");
    }
    assert!(may("http://localhost:5000", "127.0.0.1"));
    assert!(may("http://registry.localhost:5000", "::1"));
    assert!(may("http://127.0.0.2:5000", "127.0.0.2"));
    assert!(!may("http://localhost:5000", "169.254.169.254"), "a name of this machine is not one of its link");
    assert!(!may("http://169.254.169.254", "169.254.169.254"), "nor does it help to say it");
    assert!(may("https://tunnel.example:5000", "127.0.0.1"));
    assert!(!may("https://tunnel.example:5001", "127.0.0.1"));
    assert!(may("https://metadata.example:7", "169.254.169.254"));
}

#[test]
fn plain_http_is_for_this_machine_and_those_that_are_named() {
    let rules = rules(&["registry.example", "other.example:5000", "[2001:db8::1]:5000"], &[]);
    let may = |url| rules.may_be_plain(&origin(url));
    assert!(may("http://localhost:1") && may("http://127.0.0.1") && may("http://[::1]:5000"));
    assert!(may("http://registry.example") && may("http://registry.example:5000"));
    assert!(may("http://other.example:5000") && !may("http://other.example"));
    assert!(may("http://[2001:db8::1]:5000") && !may("http://[2001:db8::1]"));
    assert!(!may("http://localhost.example"), "a name that only begins so");
    assert!(!may("http://127.0.0.1.example"));
}
