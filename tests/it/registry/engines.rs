//! Podman and docker push and pull what they build themselves.

use serde_json::json;
use tests::engine::{Docker, Podman};
use tests::image::Layout;
use tests::{Aws, Server, recipe};

use super::Shop;

#[test]
fn podman_pushes_pulls_and_gets_the_same_image_back() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["team/app"]);
    let podman = Podman::new(&server);
    podman.log_in(&Aws::new(&server, &shop.account.root));
    podman.run(&["pull", "--quiet", &Layout::at(recipe("busybox")).reference("latest")]);
    let id = podman.run(&["images", "--quiet", "--no-trunc"]).trim().to_owned();
    podman.run(&["tag", &id, &podman.reference("team/app:1")]);
    podman.ask("push", &["--quiet"], "team/app:1");
    assert_eq!(shop.tags("team/app"), ["1"]);
    podman.run(&["rmi", "--all", "--force"]);
    podman.ask("pull", &["--quiet"], "team/app:1");
    assert_eq!(
        podman.run(&["images", "--quiet", "--no-trunc"]).trim(),
        id,
        "the same configuration, so the same image"
    );
}

#[test]
fn docker_pushes_pulls_and_gets_the_same_image_back() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["team/web"]);
    let Some(docker) = Docker::start(&server) else { return };
    docker.log_in(&Aws::new(&server, &shop.account.root));
    let image = Layout::at(recipe("busybox")).read("latest");
    let archive = server.folder().file("busybox.tar.gz");
    std::fs::write(&archive, &image.layers[0].content).unwrap();
    let name = docker.reference("team/web:1");
    docker.import(archive.to_str().unwrap(), &name);
    let id = docker.run(&["inspect", "--format", "{{.Id}}", &name]);
    docker.run(&["push", "--quiet", &name]);
    let pushed = docker.run(&["inspect", "--format", "{{index .RepoDigests 0}}", &name]);
    let described = shop.api.ecr("DescribeImages", &json!({ "repositoryName": "team/web" }));
    let digest = described["imageDetails"][0]["imageDigest"].as_str().unwrap();
    assert!(pushed.trim().ends_with(digest), "{pushed} {described}");
    docker.run(&["rmi", "--force", id.trim()]);
    docker.run(&["pull", "--quiet", &name]);
    assert_eq!(docker.run(&["inspect", "--format", "{{.Id}}", &name]), id);
    docker.run(&["pull", "--quiet", &docker.reference(&format!("team/web@{digest}"))]);
    let said = tests::program::run(&mut docker.command(&["push", &docker.reference("team/nowhere:1")]));
    assert!(!said.status.success(), "a repository that nobody has made takes nothing");
}
