use super::*;

fn origin(host: &str, encrypted: bool) -> Origin {
    Origin::of_host(host, encrypted).unwrap()
}

fn environment<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| pairs.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
}

#[test]
fn the_environment_names_proxies_in_small_letters_or_capitals() {
    let proxies = Proxies::from_environment(environment(&[
        ("HTTPS_PROXY", "http://secure.example:3128"),
        ("http_proxy", "plain.example:8080"),
        ("HTTP_PROXY", "http://ignored.example"),
        ("NO_PROXY", "internal.example"),
    ]))
    .unwrap();
    let of = |host: &str, encrypted| {
        proxies.on_the_way_to(&origin(host, encrypted)).map(|proxy| proxy.origin.authority_with_port())
    };
    assert_eq!(of("registry.example", true).as_deref(), Some("secure.example:3128"));
    assert_eq!(of("registry.example", false).as_deref(), Some("plain.example:8080"));
    assert_eq!(of("registry.internal.example", true), None);
    for own in ["localhost:5000", "127.0.0.1", "[::1]:5000"] {
        assert_eq!(of(own, false), None, "{own}");
    }
    let both = Proxies::from_environment(environment(&[("ALL_PROXY", "http://all.example")])).unwrap();
    assert!(both.http.is_some() && both.https.is_some());
    assert_eq!(Proxies::from_environment(environment(&[("HTTPS_PROXY", "")])).unwrap(), Proxies::default());
}

#[test]
fn a_proxy_may_want_a_name_and_a_password_which_are_not_told() {
    let proxy = Proxy::parse("https://us%65r:p%40ss%3Aword@proxy.example").unwrap();
    assert_eq!(proxy.origin, origin("proxy.example", true));
    let expected = format!("Basic {}", BASE64_STANDARD.encode("user:p@ss:word"));
    assert_eq!(proxy.authorization.as_ref().map(|it| it.as_str()), Some(expected.as_str()));
    assert_eq!(format!("{proxy:?}"), "Proxy(https://proxy.example)");
    for wrong in ["socks5://proxy.example:1080", "http://", "http://a b", "proxy:port", "http://%ff@proxy.example"] {
        let error = Proxies::from_environment(environment(&[("HTTPS_PROXY", wrong)])).unwrap_err();
        assert!(error.to_string().starts_with("HTTPS_PROXY is no address"), "{error}");
    }
}

#[test]
fn exceptions_are_domains_addresses_and_networks_with_a_port_or_without() {
    let covers = |list: &str, host: &str| Exceptions::parse(list).covers(&origin(host, true));
    assert!(covers("*", "anything.example"));
    assert!(covers("example", "registry.example") && covers("example.com, registry.example", "registry.example"));
    assert!(!covers("try.example", "registry.example"), "a part of a word is no domain");
    assert!(covers(".example", "registry.example") && !covers(".registry.example", "registry.example"));
    assert!(covers("*.example", "registry.example"));
    assert!(
        covers("registry.example:5000", "registry.example:5000")
            && !covers("registry.example:5000", "registry.example")
    );
    assert!(covers("10.0.0.0/8", "10.200.1.1") && !covers("10.0.0.0/8", "11.0.0.1"));
    assert!(covers("0.0.0.0/0", "192.0.2.1") && covers("192.0.2.1", "192.0.2.1:5000"));
    assert!(covers("192.0.2.1:5000", "192.0.2.1:5000") && !covers("192.0.2.1:5001", "192.0.2.1:5000"));
    assert!(covers("2001:db8::/32", "[2001:db8:1::1]:5000") && covers("2001:db8::1", "[2001:db8::1]"));
    assert!(!covers("10.0.0.0/33, , ???, 300.0.0.0/8", "10.0.0.1"), "what is none of these is left out");
}
