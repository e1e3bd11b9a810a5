use super::*;

fn config(text: &str) -> DockerConfig {
    serde_json::from_str(text).unwrap()
}

fn password(username: &str, password: &str) -> Option<Credentials> {
    Some(Credentials::Password { username: username.to_owned(), password: Secret::new(password.to_owned()) })
}

fn find(config: &DockerConfig, reference: &str) -> Option<Credentials> {
    config.find(&reference.parse().unwrap(), |_, _| Ok(None)).unwrap()
}

#[test]
fn what_docker_login_stored_is_found_by_the_registry() {
    let config = config(
        r#"{"auths": {
            "registry.example:5000": {"auth": "YW5uYTpzOmVjcmV0"},
            "https://index.docker.io/v1/": {"auth": "aHViOmh1Yg=="},
            "https://old.example/v2/": {"username": "u", "password": "p"},
            "token.example": {"auth": "MDAwMDA6", "identitytoken": "refresh"},
            "nobody.example": {}
        }, "HttpHeaders": {"User-Agent": "x"}}"#,
    );
    assert_eq!(find(&config, "registry.example:5000/app"), password("anna", "s:ecret"));
    assert_eq!(find(&config, "busybox"), password("hub", "hub"));
    assert_eq!(find(&config, "old.example/a/b:v1"), password("u", "p"));
    assert_eq!(find(&config, "token.example/a"), Some(Credentials::IdentityToken(Secret::new("refresh".to_owned()))));
    for none in ["registry.example/app", "registry.example:5001/app", "nobody.example/a", "localhost/a"] {
        assert_eq!(find(&config, none), None, "{none}");
    }
}

#[test]
fn of_podmans_entries_the_longest_that_fits_is_taken() {
    let config = config(
        r#"{"auths": {
            "registry.example": {"auth": "YTph"},
            "registry.example/team": {"auth": "Yjpi"},
            "registry.example/team/app": {"auth": "Yzpj"},
            "docker.io": {"auth": "ZDpk"}
        }}"#,
    );
    assert_eq!(find(&config, "registry.example/team/app"), password("c", "c"));
    assert_eq!(find(&config, "registry.example/team/other"), password("b", "b"));
    assert_eq!(find(&config, "registry.example/teams"), password("a", "a"));
    assert_eq!(find(&config, "library/busybox"), password("d", "d"));
}

#[test]
fn a_helper_is_asked_for_its_registry_and_a_store_for_every_other() {
    let config = config(
        r#"{"auths": {"plain.example": {"auth": "YTph"}}, "credHelpers": {"ecr.example": "ecr-login"}, "credsStore": "store"}"#,
    );
    let helper = |name: &str, server: &str| {
        Ok((server != "plain.example")
            .then(|| Credentials::Password { username: name.to_owned(), password: Secret::new(server.to_owned()) }))
    };
    let find = |reference: &str| config.find(&reference.parse().unwrap(), helper).unwrap();
    assert_eq!(find("ecr.example/a"), password("ecr-login", "ecr.example"));
    assert_eq!(find("other.example/a"), password("store", "other.example"));
    assert_eq!(find("busybox"), password("store", "https://index.docker.io/v1/"));
    assert_eq!(find("plain.example/a"), password("a", "a"));
}

#[test]
fn a_name_that_could_be_a_path_is_not_run() {
    for name in ["", "../x", "a/b", "a b", "a;b"] {
        let error = run_helper(name, "registry.example").unwrap_err().to_string();
        assert!(error.contains("not the name of a credential helper"), "{error}");
    }
    assert!(run_helper("pilvi-test-that-is-not-there", "registry.example").is_err());
}

#[test]
fn what_cannot_be_read_is_an_error_that_repeats_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    assert!(read(&path).unwrap().is_none());
    std::fs::write(&path, r#"{"auths": {"a": {"auth": ["hunter2"]}}}"#).unwrap();
    let error = format!("{:#}", read(&path).err().unwrap());
    assert!(error.contains("line 1") && !error.contains("hunter2"), "{error}");
    std::fs::write(&path, vec![b' '; 2_000_000]).unwrap();
    assert!(read(&path).is_err());

    let wrong = config(r#"{"auths": {"a.example": {"auth": "hunter2"}}}"#);
    let error = wrong.find(&"a.example/b".parse().unwrap(), |_, _| Ok(None)).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn the_variables_of_each_tool_say_where_to_look() {
    let none = |_: &str| None;
    assert!(places(none).is_empty());
    let home = |name: &str| matches!(name, "HOME" | "XDG_RUNTIME_DIR").then(|| PathBuf::from(format!("/{name}")));
    assert_eq!(
        places(home),
        [Path::new("/HOME/.docker/config.json"), Path::new("/XDG_RUNTIME_DIR/containers/auth.json")]
    );
    let named = |name: &str| Some(PathBuf::from(format!("/{name}")));
    assert_eq!(places(named), [Path::new("/DOCKER_CONFIG/config.json"), Path::new("/REGISTRY_AUTH_FILE")]);
}
