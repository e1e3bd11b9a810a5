//! The registry: real clients push and pull, a client of our own looks closely, and some do what none should.

mod accounts;
mod attacks;
mod conformance;
mod crash;
mod engines;
mod large;
mod leaks;
mod rules;
mod skopeo;
mod tls;

use serde_json::{Value, json};
use tests::{Account, Api, Registry, Server};

pub(crate) use leaks::blobs;

/// An account on a server with repositories of its own, and its root at the registry.
pub(crate) struct Shop {
    pub(crate) account: Account,
    pub(crate) api: Api,
    pub(crate) registry: Registry,
}

impl Shop {
    /// An account of its own, with these repositories.
    #[track_caller]
    pub(crate) fn open(server: &Server, repositories: &[&str]) -> Self {
        let account = server.account();
        let mut shop =
            Self { api: Api::new(server, &account.root), registry: Registry::of(server, &account.root), account };
        for name in repositories {
            shop.create(name, json!({}));
        }
        shop
    }

    /// Makes a repository with more than its name.
    #[track_caller]
    pub(crate) fn create(&mut self, name: &str, mut more: Value) -> Value {
        more["repositoryName"] = name.into();
        self.api.ecr("CreateRepository", &more)["repository"].take()
    }

    /// The tags of a repository, as the API lists them, sorted.
    #[track_caller]
    pub(crate) fn tags(&mut self, name: &str) -> Vec<String> {
        let listed =
            self.api.ecr("ListImages", &json!({ "repositoryName": name, "filter": { "tagStatus": "TAGGED" } }));
        let ids = listed["imageIds"].as_array().cloned().unwrap_or_default();
        let mut tags: Vec<_> = ids.iter().filter_map(|id| id["imageTag"].as_str().map(str::to_owned)).collect();
        tags.sort();
        tags
    }
}
