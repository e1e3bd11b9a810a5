//! The data directory is its owner's alone, and nothing in it gives a secret away.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::raw::{Connection, Request, form};
use tests::{Options, REGION, Server};
use wire::model::Protocol;

use super::target::now;

/// Everything below a folder.
fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

fn server_with_a_user_key() -> (Server, String) {
    let server = Server::start(Options::default());
    let account = server.account();
    let mut connection = Connection::to(server.address());
    let mut call = |operation: &str| {
        let host = server.address().to_string();
        let input = form(&[("UserName", "keeper")]);
        let request = Request::of(&host, &iam::api::MODEL, operation, Protocol::AwsQuery, &input);
        connection.send(&request.signed(&account.root, "iam", REGION, now())).success()
    };
    call("CreateUser");
    let secret = call("CreateAccessKey").element("SecretAccessKey").unwrap();
    (server, secret)
}

#[test]
fn nobody_but_the_owner_has_any_right_on_the_data_directory() {
    let mut server =
        Server::start(Options { configuration: "[tls]\ngenerate = true\n".to_owned(), ..Options::default() });
    let dir = server.data_dir().to_owned();
    let owner = fs::metadata(&dir).unwrap().uid();
    for path in below(&dir).into_iter().chain([dir.clone()]) {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        assert!(!metadata.is_symlink(), "{} is a link", path.display());
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
        assert_eq!(metadata.uid(), owner, "{} belongs to somebody else", path.display());
    }
    assert!(below(&dir).iter().any(|path| path.ends_with("keys/root.json")), "{:?}", below(&dir));
    assert!(server.stop().success());
    for path in below(&dir) {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o} after the end", path.display());
    }
}

#[test]
fn another_user_reads_neither_the_root_key_nor_anything_beside_it() {
    let server = Server::shared();
    let dir = server.data_dir().to_owned();
    let Some(as_somebody) = somebody_else() else { return };
    for path in below(&dir).into_iter().chain([dir]) {
        let read = as_somebody(&format!("cat '{0}' || ls '{0}'", path.display()));
        assert!(!read, "{} is open to others", path.display());
    }
    assert!(as_somebody("true"), "somebody else can run programs");
    let env = format!("'{}' env --data-dir '{}'", tests::pilvi().display(), server.data_dir().display());
    assert!(!as_somebody(&env), "`pilvi env` gives the root key to others");
}

/// Runs shell commands as a user who is neither root nor the server's; nothing where the tests are not root, who alone
/// can become somebody else.
fn somebody_else() -> Option<impl Fn(&str) -> bool> {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    is_root.then_some(|script: &str| {
        use std::os::unix::process::CommandExt as _;
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).uid(65_222).gid(65_222).current_dir("/");
        tests::program::run(&mut shell).status.success()
    })
}

#[test]
fn no_file_holds_a_users_secret_key_in_the_clear() {
    let (mut server, secret) = server_with_a_user_key();
    assert!(server.stop().success());
    for path in below(server.data_dir()).into_iter().filter(|path| path.is_file()) {
        let content = fs::read(&path).unwrap();
        let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{} holds the secret", path.display());
    }
}

#[test]
fn no_secret_is_among_the_arguments_or_in_the_environment_of_a_process() {
    let server = Server::shared();
    let account = server.account();
    let secrets = [server.root().secret_access_key, account.root.secret_access_key];
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let is_process = entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        let is_ours = |name: String| name.trim() == "pilvi" || name.trim() == "pilvi-server";
        let ours = is_process && fs::read_to_string(entry.path().join("comm")).is_ok_and(is_ours);
        for file in ["cmdline", "environ"].into_iter().filter(|_| ours) {
            let text = fs::read(entry.path().join(file)).unwrap_or_default();
            for secret in &secrets {
                let secret = secret.expose().as_bytes();
                assert!(!text.windows(secret.len()).any(|window| window == secret), "{:?}/{file}", entry.path());
            }
        }
    }
}
