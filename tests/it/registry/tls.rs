//! The registry over TLS, as it has to be anywhere but on loopback.

use serde_json::json;
use tests::engine::{Podman, Skopeo};
use tests::image::{Image, Layout};
use tests::{Aws, Folder, Options, Server, program};

#[test]
fn skopeo_and_podman_push_and_pull_over_tls() {
    let server = Server::start(Options { configuration: "[tls]\ngenerate = true\n".to_owned(), ..Options::default() });
    let aws = Aws::new(&server, &server.account().root);
    let made = aws.call(&["ecr", "create-repository", "--repository-name", "web"]);
    let host = server.endpoint().trim_start_matches("https://");
    assert_eq!(made["repository"]["repositoryUri"], format!("{host}/web"));
    let token = aws.call(&["ecr", "get-authorization-token"]);
    assert_eq!(token["authorizationData"][0]["proxyEndpoint"], server.endpoint());

    let (folder, image) = (Folder::new(), Image::small("over TLS"));
    let (there, back) = (Layout::at(folder.file("there")), Layout::at(folder.file("back")));
    there.write("1", &image);
    let skopeo = Skopeo::new(&server);
    skopeo.log_in(&aws);
    skopeo.push(&there.reference("1"), "web:1", &[]);
    skopeo.pull("web:1", &back.reference("1"), &[]);
    assert!(back.read("1") == image);

    let podman = Podman::new(&server);
    podman.log_in(&aws);
    podman.ask("pull", &["--quiet"], "web:1");
    podman.run(&["tag", &podman.reference("web:1"), &podman.reference("web:2")]);
    podman.ask("push", &["--quiet"], "web:2");
    let listed = aws.call(&["ecr", "list-images", "--repository-name", "web", "--query", "imageIds[].imageTag"]);
    let mut tags = listed.as_array().cloned().unwrap_or_default();
    tags.sort_by_key(ToString::to_string);
    assert_eq!(json!(tags), json!(["1", "2"]));

    // One that does not know the authority says nothing to the server, least of all its token.
    let mut plain = std::process::Command::new("skopeo");
    plain.args(["inspect", &skopeo.reference("web:1")]);
    assert!(program::run(&mut plain).failure().contains("x509"), "an unknown authority is not trusted");
}
