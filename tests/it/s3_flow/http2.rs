//! S3 over HTTP/2, by curl: with prior knowledge, and as both ends agree in TLS.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tests::program;
use tests::{Account, Aws, Folder, Options, REGION, Server};
use wire::sigv4::{SignableBody, Signer};

use super::by_hand::content;
use crate::security::now;

const MIB: usize = 1 << 20;
/// What curl is to tell of each transfer: status, version, and how many connections were opened for it.
const TELL: &str = "%{http_code} %{http_version} %{num_connects}\n";

/// A bucket, reached over HTTP/2.
struct Shop<'s> {
    server: &'s Server,
    account: Account,
    bucket: String,
    folder: Folder,
}

impl<'s> Shop<'s> {
    #[track_caller]
    fn open(server: &'s Server) -> Self {
        let account = server.account();
        let bucket = format!("shop-{}", account.id);
        Aws::new(server, &account.root).run(&["s3", "mb", &format!("s3://{bucket}")]).success();
        Self { server, account, bucket, folder: Folder::new() }
    }

    /// An address that is good for a minute and one method.
    fn address(&self, method: &str, key: &str) -> String {
        let (scheme, authority) = self.server.endpoint().split_once("://").unwrap();
        let target = format!("/{}/{key}", self.bucket);
        let request = http::Request::builder().method(method).uri(target).header("host", authority);
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let signer = Signer { credentials: &self.account.root, region: REGION, service: "s3", at: now() };
        signer.presign(&mut parts, Duration::from_secs(60), SignableBody::Unsigned).unwrap();
        format!("{scheme}://{authority}{}", parts.uri)
    }

    /// curl, speaking HTTP/2.
    fn curl(&self) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "80", "--write-out", TELL]);
        match self.server.ca_bundle() {
            Some(authority) => curl.arg("--http2").arg("--cacert").arg(authority),
            None => curl.arg("--http2-prior-knowledge"),
        };
        curl
    }

    /// Sends a file or fetches into one, or neither; what curl tells.
    #[track_caller]
    fn moved(&self, method: &str, key: &str, file: &Path, more: &[&str]) -> String {
        let mut curl = self.curl();
        match method {
            "PUT" => curl.arg("--upload-file").arg(file),
            "HEAD" => curl.arg("--head").arg("--output").arg(file),
            _ => curl.args(["--request", method, "--output"]).arg(file),
        };
        program::run(curl.args(more).arg(self.address(method, key))).success().trim().to_owned()
    }
}

/// Every method on objects of several sizes.
fn goes_in_and_out(server: &Server) {
    let shop = Shop::open(server);
    let (there, back) = (shop.folder.file("there"), shop.folder.file("back"));
    for (number, size) in [0, 1, 8192, 8193, 20 * MIB + 7].into_iter().enumerate() {
        let (data, key) = (content(number as u64, size), format!("a%20b/{size}%25"));
        fs::write(&there, &data).unwrap();
        assert_eq!(shop.moved("PUT", &key, &there, &[]), "200 2 1");
        assert_eq!(shop.moved("GET", &key, &back, &[]), "200 2 1");
        assert!(fs::read(&back).unwrap() == data, "{size} bytes came back as others");
        assert_eq!(shop.moved("HEAD", &key, &back, &[]), "200 2 1");
        assert!(fs::read_to_string(&back).unwrap().contains(&format!("content-length: {size}\r\n")));
    }
    let key = format!("a%20b/{}%25", 20 * MIB + 7);
    assert_eq!(shop.moved("GET", &key, &back, &["--range", "5000000-5000009"]), "206 2 1");
    assert!(fs::read(&back).unwrap() == content(4, 20 * MIB + 7)[5_000_000..5_000_010]);
    assert_eq!(shop.moved("DELETE", &key, &back, &[]), "204 2 1");
    assert_eq!(shop.moved("GET", &key, &back, &[]), "404 2 1");
    assert!(fs::read_to_string(&back).unwrap().contains("<Code>NoSuchKey</Code>"));
}

#[test]
fn objects_go_in_and_out_over_http_2_with_prior_knowledge() {
    goes_in_and_out(&Server::shared());
}

#[test]
fn who_sends_much_over_http_2_that_is_refused_gets_the_answer() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    let (there, told) = (shop.folder.file("there"), shop.folder.file("told"));
    fs::write(&there, content(1, 20 * MIB)).unwrap();
    let unsigned = shop.address("PUT", "k").split_once('?').unwrap().0.to_owned();
    let tampered = format!("{}0", shop.address("PUT", "k"));
    let elsewhere = shop.address("PUT", "k").replace(&shop.bucket, "nobody-has-this");
    for address in [unsigned, tampered, elsewhere] {
        for _ in 0..5 {
            let mut curl = shop.curl();
            curl.arg("--upload-file").arg(&there).arg("--output").arg(&told).arg(&address);
            assert_eq!(program::run(&mut curl).success().trim(), "403 2 1", "{address}");
            assert!(fs::read_to_string(&told).unwrap().contains("</Error>"), "{address}");
        }
    }
}

#[test]
fn objects_go_in_and_out_over_http_2_by_agreement_in_tls() {
    let server = Server::start(Options { configuration: "[tls]\ngenerate = true\n".to_owned(), ..Options::default() });
    goes_in_and_out(&server);
    many_go_in_and_out_at_once(&server);
}

/// One connection and many streams. (Not with prior knowledge: there curl 7.88 cannot use a connection a second time.)
fn many_go_in_and_out_at_once(server: &Server) {
    const OBJECTS: usize = 24;
    let shop = Shop::open(server);
    let sizes = |number: usize| 1 + number * number * 3001;
    for method in ["PUT", "GET"] {
        let mut transfers = String::new();
        for number in 0..OBJECTS {
            let file = shop.folder.file(&format!("{method}-{number}"));
            let way = if method == "PUT" { "upload-file" } else { "output" };
            if method == "PUT" {
                fs::write(&file, content(number as u64, sizes(number))).unwrap();
            }
            let address = shop.address(method, &number.to_string());
            let _ = writeln!(transfers, "url = \"{address}\"\n{way} = \"{}\"", file.display());
        }
        let transfers = shop.folder.write("transfers", &transfers);
        let mut curl = shop.curl();
        curl.args(["--parallel", "--parallel-max", "24", "--config"]).arg(transfers);
        let told = program::run(&mut curl).success();
        let connections: usize = told.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum();
        assert!(told.lines().all(|line| line.starts_with("200 2 ")), "{told}");
        assert_eq!((told.lines().count(), connections), (OBJECTS, 1), "{told}");
    }
    for number in 0..OBJECTS {
        let back = fs::read(shop.folder.file(&format!("GET-{number}"))).unwrap();
        assert!(back == content(number as u64, sizes(number)), "object {number} came back as another");
    }
}
